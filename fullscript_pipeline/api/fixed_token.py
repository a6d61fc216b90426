"""The token source of somebody who is just signing in, before anything is stored.

What does not belong here: tokens that are renewed (`tokens`).
"""


class FixedToken:
    """One access token, which nothing renews."""

    def __init__(self, token: str) -> None:
        self._token = token

    def access_token(self) -> str:
        return self._token

    def renew(self, rejected: str) -> str:
        return rejected

    def confirm_used(self, token: str) -> None:
        """Does nothing: there is no older token pair."""

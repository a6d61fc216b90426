"""The answers of the sandbox, by kind of endpoint."""

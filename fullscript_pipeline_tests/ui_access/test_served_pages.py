"""What the UI's server shows beside Dagster's own pages: the catalog and the reference, to who has signed in."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from fullscript_pipeline.files import FolderFiles
from fullscript_pipeline.files.bucket import BucketFiles
from fullscript_pipeline.ui_access import Guard, ServedPages, SignIns, make_code
from fullscript_pipeline_tests.helpers.s3_server import Bucket

KEY = bytes(32)


async def _app(request: Request) -> Response:
    return PlainTextResponse(f"the app: {request.url.path}")


@dataclass
class Client:
    """Requests to an app, with cookies as a browser keeps them."""

    app: ASGIApp
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        answer = asyncio.run(self._answer(method, path, named))
        self.cookies.update(answer.cookies)
        return answer

    async def _answer(self, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:3000", cookies=self.cookies
        ) as client:
            return await client.request(method, path, headers=headers)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """Signed in to a UI over a folder with a page of the catalog and one of a patient."""
    pages = {"catalog/us/2026-11-22.html": "a digest", "clinics/maple/patients/p1.html": "a patient"}
    for name, words in pages.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(words)
    (tmp_path / "catalog/us/link.html").symlink_to(tmp_path / "clinics/maple/patients/p1.html")
    app = Starlette(routes=[Route("/{path:path}", _app)])
    served = ServedPages(app, catalog=FolderFiles(tmp_path / "catalog"), make_reference=lambda: "<p>the reference")
    made = Client(Guard(served, SignIns(KEY)))
    assert made.get(f"/?code={make_code(KEY)}").status_code == 303
    return made


def test_pages_in_a_bucket_are_served_too(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = BucketFiles(f"{bucket.url}/reports")
    for name in ("catalog/us/index.html", "clinics/maple/index.html"):
        pages.put(name, name.encode())
    client = Client(ServedPages(Starlette(), catalog=BucketFiles(f"{bucket.url}/reports/catalog"), make_reference=str))
    answer = client.get("/pages/catalog/us/")
    assert (answer.text, answer.headers["content-type"]) == ("catalog/us/index.html", "text/html; charset=utf-8")
    assert answer.headers["cache-control"] == "no-store"
    for path in ("us/none.html", "%2e%2e/clinics/maple/index.html", "us//index.html"):
        assert client.get(f"/pages/catalog/{path}").status_code == 404
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    refused = ServedPages(Starlette(), catalog=BucketFiles(f"{bucket.url}/reports/catalog"), make_reference=str)
    assert Client(refused).get("/pages/catalog/us/").status_code == 503


def test_pages_are_served_and_may_send_no_request(client: Client) -> None:
    for path, words in {"/pages/catalog/us/2026-11-22.html": "a digest", "/pages/reference": "the reference"}.items():
        answer = client.get(path)
        assert (answer.status_code, words in answer.text) == (200, True)
        assert "connect-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
    assert client.get("/runs").text == "the app: /runs"


@pytest.mark.parametrize(
    "path",
    [
        "/pages/clinics/maple/patients/p1.html",
        "/pages/catalog/../clinics/maple/patients/p1.html",
        "/pages/catalog/%2e%2e/clinics/maple/patients/p1.html",
        "/pages/catalog/us/..%2f..%2f..%2fclinics/maple/patients/p1.html",
        "/pages/catalog//clinics/maple/patients/p1.html",
        "/pages/catalog/us/link.html",
        "/pages/index.html",
    ],
)
def test_no_page_of_a_patient_is_served(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404 and "a patient" not in answer.text


def test_nobody_reads_them_without_a_link_or_from_another_site(client: Client) -> None:
    path = "/pages/catalog/us/2026-11-22.html"
    assert client.get(path, Sec_Fetch_Site="cross-site").status_code == 403
    assert client.get(path, "POST", Origin="http://127.0.0.1:3000").status_code == 405
    client.cookies.clear()
    assert client.get(path).status_code == 403


def test_a_folder_that_is_not_there_yet_is_no_error(tmp_path: Path) -> None:
    pages = ServedPages(Starlette(), catalog=FolderFiles(tmp_path / "none"), make_reference=str)
    assert Client(pages).get("/pages/catalog/us/").status_code == 404

"""Looking through the place of the pages: what others see while one look takes long."""

import json
import threading
from pathlib import Path

from fullscript_pipeline.files import FolderFiles
from fullscript_pipeline.portal_store import PageSeal
from fullscript_pipeline.web.clinic_files import VERSION, AllClinicFiles

LISTED = {
    "version": VERSION,
    "clinic_id": "c1",
    "clinic_key": "maple-street",
    "region": "us",
    "name": "Maple Street",
    "data_as_of": "today",
    "stale": None,
    "practitioners": {},
    "patients": [],
}


class SlowFiles(FolderFiles):
    """A folder; a look through it can be made to wait, as one through a bucket that does not answer."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.may_answer, self.is_asked = threading.Event(), threading.Event()
        self.may_answer.set()

    def folders(self, folder: str) -> list[str]:
        self.is_asked.set()
        self.may_answer.wait(60)
        return super().folders(folder)


def test_nobody_waits_for_the_look_of_another(tmp_path: Path) -> None:
    clinic = tmp_path / "clinics" / "maple-street"
    clinic.mkdir(parents=True)
    (clinic / "portal.json").write_text(json.dumps(LISTED))
    pages = SlowFiles(tmp_path)
    clinics = AllClinicFiles(pages, PageSeal(["a key of the portal"]))
    assert clinics.keys() == {"maple-street"}
    pages.may_answer.clear()
    pages.is_asked.clear()
    looking = threading.Thread(target=clinics.keys)
    looking.start()
    assert pages.is_asked.wait(60)
    assert clinics.keys() == {"maple-street"}, "what was found last"
    assert not pages.may_answer.is_set()
    pages.may_answer.set()
    looking.join(60)
    (clinic / "portal.json").unlink()
    assert clinics.keys() == frozenset(), "in a folder at once"

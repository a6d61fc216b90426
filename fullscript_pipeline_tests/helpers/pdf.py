"""Reads what a printed page says, sheet by sheet, out of the PDF that Chromium writes. Standard library only.

What does not belong here: any other program's PDF.
"""

import re
import zlib


def sheet_texts(pdf: bytes) -> list[str]:
    """The text of each sheet, without spaces: a PDF places words, it does not separate them."""
    objects = {int(number): body for number, body in re.findall(rb"(?:^|\n)(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL)}
    sheets = [body for _, body in sorted(objects.items()) if re.search(rb"/Type\s*/Page\b", body)]
    return [_sheet_text(sheet, objects) for sheet in sheets]


def _sheet_text(sheet: bytes, objects: dict[int, bytes]) -> str:
    fonts = {
        name: _letters(objects[int(number)], objects)
        for found in [re.search(rb"/Font\s*<<(.*?)>>", sheet, re.DOTALL)]
        if found
        for name, number in re.findall(rb"/(\S+)\s+(\d+) 0 R", found[1])
    }
    (contents,) = re.findall(rb"/Contents\s+(\d+) 0 R", sheet)
    said, letters = [], dict[int, str]()
    for font, glyphs in re.findall(rb"/(\S+) [\d.]+ Tf|<([0-9A-Fa-f]+)>", _stream(objects[int(contents)])):
        if font:
            letters = fonts.get(font, {})
        said += [letters.get(int(glyphs[at : at + 4], 16), "") for at in range(0, len(glyphs), 4)]
    return "".join("".join(said).split())


def _letters(font: bytes, objects: dict[int, bytes]) -> dict[int, str]:
    """The text of each glyph of a font."""
    (number,) = re.findall(rb"/ToUnicode\s+(\d+) 0 R", font)
    letters: dict[int, str] = {}
    table = _stream(objects[int(number)])
    for part in re.findall(rb"beginbfchar\n(.*?)endbfchar", table, re.DOTALL):
        for glyph, text in re.findall(rb"<(\w+)> <(\w+)>", part):
            letters[int(glyph, 16)] = bytes.fromhex(text.decode()).decode("utf-16-be")
    for part in re.findall(rb"beginbfrange\n(.*?)endbfrange", table, re.DOTALL):
        for first, last, text in re.findall(rb"<(\w+)> <(\w+)> <(\w+)>", part):
            for place in range(int(last, 16) - int(first, 16) + 1):
                letters[int(first, 16) + place] = chr(int(text, 16) + place)
    return letters


def _stream(body: bytes) -> bytes:
    _, _, content = body.partition(b"stream\n")
    content = content.rpartition(b"\nendstream")[0]
    return zlib.decompress(content) if b"/FlateDecode" in body else content

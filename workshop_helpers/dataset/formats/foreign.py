"""Files that hold no rows as they are: by their first bytes, or by what an archive holds."""

from __future__ import annotations

import zipfile
from pathlib import Path

from .faults import RowFault, word

# First bytes, the entry foreign.… of formats.yaml, and its values.
_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF", "pdf", ""),
    (b"\x28\xb5\x2f\xfd", "packed", "Zstandard"),
    (b"BZh", "packed", "bzip2"),
    (b"\xfd7zXZ", "packed", "xz"),
    (b"\x04\x22\x4d\x18", "packed", "LZ4"),
    (b"7z\xbc\xaf\x27\x1c", "archive", "7z"),
    (b"Rar!\x1a\x07", "archive", "RAR"),
    (b"\x80\x02", "pickle", ""),
    (b"\x80\x03", "pickle", ""),
    (b"\x80\x04\x95", "pickle", ""),
    (b"\x80\x05\x95", "pickle", ""),
    (b"SQLite format 3", "sqlite", ""),
    (b"version https://git-lfs.github.com/", "lfs", ""),
    (b"{\\rtf", "document", ".rtf"),
    (b"GGUF", "weights", "GGUF"),
)
_WEB_PAGE = (b"<!doctype html", b"<html")
_OLD_OFFICE = b"\xd0\xcf\x11\xe0"
# What stands in an old Office file, in UTF-16, and what the file is then.
_STREAMS = {"EncryptedPackage": "locked", "WordDocument": ".doc", "PowerPoint Document": ".ppt"}
# A file that stands in an archive, and what the archive is then.
_MEMBERS = {
    "xl/workbook.xml": "",
    "xl/workbook.bin": "sheet .xlsb",
    "word/document.xml": "document .docx",
    "ppt/presentation.xml": "document .pptx",
    "Index/Document.iwa": "document .pages/.numbers/.key",
}
_TYPES = {
    "opendocument.spreadsheet": "sheet .ods",
    "opendocument.text": "document .odt",
    "opendocument.presentation": "document .odp",
    "epub": "document .epub",
}
_LOOKED_AT = 8 << 20


def foreign(path: Path, first: bytes) -> RowFault | None:
    """Why a file with these first bytes (a kilobyte) holds no rows, or None."""
    for magic, what, name in _MAGIC:
        if first.startswith(magic):
            return _fault(what, name)
    if first[257:262] == b"ustar":
        return _fault("archive", "tar")
    if first.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower().startswith(_WEB_PAGE):
        return _fault("page", "")
    if first.startswith(_OLD_OFFICE):
        with path.open("rb") as file:
            content = file.read(_LOOKED_AT)
        streams = (kind for name, kind in _STREAMS.items() if name.encode("utf-16-le") in content)
        kind = next(streams, ".xls")
        return _fault("sheet" if kind == ".xls" else "document", kind, locked=kind == "locked")
    if first.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive(path)
    return None


def _fault(what: str, name: str, *, locked: bool = False) -> RowFault:
    what = "locked" if locked else what
    reason = word(f"foreign.{what}", name=name)
    return RowFault("unreadable.foreign", fix=word(f"foreign.{what}.fix"), reason=reason)


def _archive(path: Path) -> RowFault | None:
    """What a ZIP archive is; None for an Excel workbook, even a damaged one."""
    names: list[str] = []
    kind = ""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if names[:1] == ["mimetype"] and archive.getinfo("mimetype").file_size < 200:
                kind = archive.read("mimetype").decode("ascii", "replace")
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, ValueError):
        pass  # said below
    found = [told for member, told in _MEMBERS.items() if member in names]
    found += [told for part, told in _TYPES.items() if part in kind]
    if found:
        return _fault(*found[0].split()) if found[0] else None
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return None
    pickled = any(name.endswith("/data.pkl") for name in names)
    return _fault("pickle", "") if pickled else _fault("archive", "ZIP")

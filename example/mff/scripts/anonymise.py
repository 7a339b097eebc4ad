"""Copy an MFF folder without what points to the person: the output of a step may be a folder too."""

import re
import shutil
import xml.etree.ElementTree as ET
from datetime import date, timedelta
from pathlib import Path

from sinagot import ScriptTemplate

SUBJECT_NAMESPACE = "http://www.egi.com/subject_mff"
# Bytes, not text: the XML files differ in encoding and in line ends, and all else must stay as it was.
DATE_OF_TIME = re.compile(rb"\d{4}-\d{2}-\d{2}(?=T\d{2}:)")


class Script(ScriptTemplate):
    """Write a copy with an empty subject form and with all dates moved: recorded on 1 January."""

    PATH_IN = ("{id}.mff",)
    # In a folder of its own: beside the raw recordings the copy would be found as a record.
    PATH_OUT = ("anonymised", "{id}-anon.mff")

    def run(self) -> None:
        """Copy file by file; the folder appears under its name when it is complete."""
        source, target = self.path.input, self.path.output
        recorded = find_recording_date(source)
        shift = recorded.replace(month=1, day=1) - recorded

        target.mkdir()
        for path in sorted(source.rglob("*")):
            copy = target / path.relative_to(source)
            if path.is_dir():
                copy.mkdir()
            elif path.name == "subject.xml":
                write_empty_form(path, copy)
            elif path.suffix == ".xml":
                # Times of events move by the same whole days: every interval stays as it was.
                copy.write_bytes(DATE_OF_TIME.sub(lambda found: moved(found, shift), path.read_bytes()))
            else:
                shutil.copyfile(path, copy)  # the contents only: raw data is often read-only


def find_recording_date(folder: Path) -> date:
    """Read the day of the recording from the folder's `info.xml`."""
    found = DATE_OF_TIME.search((folder / "info.xml").read_bytes())
    if found is None:
        raise ValueError(f"no time of recording in {folder.name}/info.xml")
    return date.fromisoformat(found.group().decode())


def moved(found: re.Match[bytes], shift: timedelta) -> bytes:
    """Give the date that was found, some days earlier."""
    return str(date.fromisoformat(found.group().decode()) + shift).encode()


def write_empty_form(path: Path, copy: Path) -> None:
    """Copy the form about the person with the fields' names and without their values."""
    ET.register_namespace("", SUBJECT_NAMESPACE)
    form = ET.parse(path)
    for value in form.iter(f"{{{SUBJECT_NAMESPACE}}}data"):
        value.text = None
    form.write(copy, encoding="UTF-8", xml_declaration=True)

"""Count the events of one recording; a recording with a handful of them was a false start."""

import csv
import json
from collections import Counter

from sinagot import ScriptTemplate

FEWEST_EVENTS = 100  # a real recording of this study has more than 1000


class Script(ScriptTemplate):
    """Write the number of events, in all and by value, and whether it was a false start."""

    PATH_IN = (
        "sub-{subject}",
        "ses-{session}",
        "{modality}",
        "sub-{subject}_ses-{session}_task-{task}[_run-{run}]_events.tsv",
    )
    PATH_OUT = (
        "sub-{subject}",
        "ses-{session}",
        "{modality}",
        "sub-{subject}_ses-{session}_task-{task}[_run-{run}]_eventcounts.json",
    )

    def run(self) -> None:
        """Read the table of events, one row per event."""
        with open(self.path.input, newline="", encoding="utf-8") as file:
            values = Counter(row["value"] for row in csv.DictReader(file, delimiter="\t"))

        n_events = values.total()
        is_false_start = n_events < FEWEST_EVENTS
        if is_false_start:
            self.logger.warning("false start: %d events", n_events)
        counts = {"events": n_events, "false_start": is_false_start, "values": dict(sorted(values.items()))}
        self.path.output.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")

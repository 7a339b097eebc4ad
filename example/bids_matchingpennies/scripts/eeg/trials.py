"""Count the trials of one person: which hand was raised, and how often the computer guessed it."""

import csv
import json

from sinagot import ScriptTemplate


class Script(ScriptTemplate):
    """Write the number of trials, of raised left hands and of matches."""

    PATH_IN = "sub-{subject}/eeg/sub-{subject}_task-{task}_events.tsv"
    PATH_OUT = "sub-{subject}/eeg/sub-{subject}_task-{task}_trials.json"

    def run(self) -> None:
        """Read the table of events, one row per trial."""
        with open(self.path.input, newline="", encoding="utf-8") as file:
            trials = list(csv.DictReader(file, delimiter="\t"))

        counts = {
            "trials": len(trials),
            "left": sum(trial["hand_raised"] == "left" for trial in trials),
            # trial_type holds two facts, as in raised-left/match-true.
            "match_true": sum("match-true" in trial["trial_type"].split("/") for trial in trials),
        }
        self.path.output.write_text(json.dumps(counts) + "\n", encoding="utf-8")

"""List the tracking systems of one recording: each has a motion file and a JSON file beside it."""

import csv
import json

from sinagot import ScriptTemplate


class Script(ScriptTemplate):
    """Write one row per tracking system: columns of its motion file, and sampling frequency."""

    # {tracksys} is no part of the record id: path.input is the sorted list of all files that fit.
    PATH_IN = (
        "sub-{subject}",
        "ses-{session}",
        "{modality}",
        "sub-{subject}_ses-{session}_task-{task}_tracksys-{tracksys}[_run-{run}]_motion.tsv",
    )
    PATH_OUT = (
        "sub-{subject}",
        "ses-{session}",
        "{modality}",
        "sub-{subject}_ses-{session}_task-{task}[_run-{run}]_systems.csv",
    )

    def run(self) -> None:
        """Read the JSON beside each motion file: motion TSV files of BIDS have no header line."""
        with open(self.path.output, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["system", "columns", "sampling_frequency_hz"])
            for motion_path in self.path.input:
                sidecar = json.loads(motion_path.with_suffix(".json").read_text(encoding="utf-8"))
                writer.writerow(
                    [
                        sidecar["TrackingSystemName"],
                        sidecar["MotionChannelCount"],
                        sidecar["SamplingFrequency"],
                    ]
                )

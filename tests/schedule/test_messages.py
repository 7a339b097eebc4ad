"""Messages about runs of schedules: who is told of which, and that none of them holds up a service."""

from __future__ import annotations

from collections.abc import Callable

from sinagot.schedule.history.facts import State
from tests.schedule.houses import ECHO, FAIL, WAIT, Lab, template
from tests.services import PostOffice

Make = Callable[..., Lab]


def test_a_template_says_who_is_told_of_its_runs(make_lab: Make) -> None:
    """`notify` of a template wins over `[notify]`, and of what no schedule asked for nobody is told."""
    with PostOffice() as office:
        lab = make_lab(
            template("good", ECHO),
            template("quiet", ECHO, notify="failures"),
            template("bad", FAIL, notify="failures"),
            template("never", FAIL, notify="never"),
            template("asked", ECHO, on=""),
            toml=office.toml,
        )
        names = ("good", "quiet", "bad", "never")
        lab.seen(*names)
        service = lab.service()
        service._launcher.limit = 5
        service.launch("asked")
        lab.clock.go(hours=1)
        lab.drive(service, lambda: lab.all_over(*names, "asked") and lab.states("bad"), "all are over")
        service.stop()
        service.run()
    assert sorted(letter.subject.partition(": ")[2] for letter in office.letters) == [
        "bad for 2026-03-02 11:00 UTC: failed",
        "good for 2026-03-02 11:00 UTC: done",
    ]
    (told,) = (letter.text for letter in office.letters if " bad " in letter.subject)
    assert "failed: stage one/it: " in told


def test_a_message_that_fails_is_a_line_of_the_log(make_lab: Make) -> None:
    """The run is done, whatever becomes of the message; the log of the schedule says what was wrong with it."""
    lab = make_lab(template("good", ECHO), toml="[notify]\ncommand = ['/no/such/program']\n")
    lab.seen("good")
    service = lab.service()
    lab.clock.go(hours=1)
    lab.drive(service, lambda: lab.states("good") == [State.DONE], "it is done")
    service.stop()
    service.run()
    (warning,) = [text for level, text in lab.said if level == "WARNING"]
    (launch,) = lab.launches("good")
    assert warning.startswith(f"good: run {launch.run_id}: message not sent (command program)")


def test_who_cancels_a_run_needs_no_message(make_lab: Make) -> None:
    """Where failures alone are told, a run that somebody has cancelled is none; where all is told, it is told."""
    with PostOffice() as office:
        lab = make_lab(template("quiet", WAIT, notify="failures"), template("good", WAIT), toml=office.toml)
        names = ("quiet", "good")
        lab.seen(*names)
        service = lab.service()
        service._launcher.limit = 2
        lab.clock.go(hours=1)
        lab.drive(
            service,
            lambda: all(lab.launches(name) and lab.launches(name)[0].pid for name in names),
            "both run",
        )
        for name in names:
            service.cancel(lab.launches(name)[0].run_id, "ann")
        lab.drive(service, lambda: lab.all_over(*names), "both are over")
        assert lab.states("quiet") == lab.states("good") == [State.CANCELLED]
        service.stop()
        service.run()
    assert [letter.subject.partition(": ")[2] for letter in office.letters] == [
        "good for 2026-03-02 11:00 UTC: cancelled"
    ]

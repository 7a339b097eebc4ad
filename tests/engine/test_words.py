"""The words, marks and colours of statuses and outcomes."""

from __future__ import annotations

from sinagot.engine.job import Outcome
from sinagot.engine.words import OUTCOMES, STATUS, TONES, css, tone_of
from sinagot.scripts.codes import StepStatus


def luminance(colour: str) -> float:
    """Give the relative luminance of WCAG 2.2."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Give the contrast ratio of WCAG 2.2."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_each_status_and_outcome_has_a_word_of_its_own() -> None:
    """Texts, letters and signs tell statuses apart; outcomes are those of runs, in their order."""
    assert set(STATUS) == set(StepStatus.__members__)
    assert tuple(OUTCOMES) == Outcome.ALL
    for words in (STATUS, OUTCOMES):
        assert len({word.text for word in words.values()}) == len(words)
        assert all(len(word.letter) == len(word.sign) == 1 for word in words.values())
    for part in ("letter", "sign"):
        assert len({getattr(word, part) for word in STATUS.values()}) == len(STATUS)
    assert {word.tone for word in (*STATUS.values(), *OUTCOMES.values())} == set(TONES)


def test_one_text_has_one_colour() -> None:
    """A word that statuses and outcomes share looks the same in both."""
    for word in (*STATUS.values(), *OUTCOMES.values()):
        assert tone_of(word.text) == word.tone


def test_ink_is_legible() -> None:
    """Text on each colour has the contrast that WCAG asks for, on light ground and on dark."""
    for tone in TONES.values():
        assert contrast(tone.light, tone.light_ink) >= 4.5
        assert contrast(tone.dark, tone.dark_ink) >= 4.5


def test_css_names_each_tone() -> None:
    """Both grounds have the same properties."""
    light, dark = css(), css(".dark", dark=True)
    for name in TONES:
        assert f"--sg-{name}:" in light and f"--sg-{name}-ink:" in dark
    assert dark.startswith(".dark{") and dark.endswith("}")

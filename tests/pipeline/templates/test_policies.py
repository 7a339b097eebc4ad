"""Laws of policies and settings: what a template says of its ticks, and what holds for all templates of a workspace."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from sinagot.config.settings import NotifySettings, PolicySettings
from sinagot.errors import ConfigurationError, PipelineError
from sinagot.pipeline.templates.template import read_template

ECHO = """
- name: Say Hello
  run: |
    who = "you"
"""
FAIL = "- {name: no, raise: 'not today'}"


def policies_of(shelf: Any) -> PolicySettings:
    """Read those of the pipeline `p`."""
    policies: PolicySettings = read_template("p", root=shelf.root).policies
    return policies


def test_policies_are_read(shelf: Any) -> None:
    """All keys are read, durations in seconds; what is absent is as the configuration says, or as by default."""
    shelf.stages(ECHO)
    assert policies_of(shelf) == PolicySettings()
    more = "overlap: queue\ncatchup: all\nmax-catchup: 3\ngrace: 15m\nretry: {times: 2, delay: 1 min}\nnotify: never"
    shelf.stages(ECHO, more=more)
    assert policies_of(shelf) == PolicySettings("queue", "all", 3, 900.0, 2, 60.0, "never")
    shelf.write("workspace.toml", "[schedule]\noverlap = 'allow'\nretry = 4\ngrace = '1 h'\n")
    shelf.stages(ECHO, more="retry: 1\ncatchup: none\ngrace: 0")
    assert policies_of(shelf) == PolicySettings("allow", "none", grace=0.0, retries=1)
    shelf.stages(ECHO, more="retry: {delay: 2 h}")
    assert policies_of(shelf) == PolicySettings("allow", grace=3600.0, retries=1, retry_delay=7200.0)


def test_messages_of_a_template(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word changes when messages are sent, a mapping says where they go instead, with secrets that stay so."""
    monkeypatch.setenv("HOOK", "https://chat/s3cret")
    others = NotifySettings(command=("tell",))
    assert PolicySettings().notify_over(others) == others
    assert PolicySettings(notify="failures").notify_over(others) == others._replace(when="failures")
    shelf.stages(
        ECHO,
        more='notify: {when: failures, webhook: "${HOOK}", email: {to: a@b, from: c@d, host: mail, security: ssl}}',
    )
    found = policies_of(shelf).notify_over(others)
    assert (found.when, found.webhook, found.command) == ("failures", "https://chat/s3cret", None)
    assert found.email is not None and (found.email.to, found.email.port) == (("a@b",), 465)
    template = read_template("p", root=shelf.root)
    assert pickle.loads(pickle.dumps(template)).policies == template.policies
    shelf.stages(ECHO, more="notify: failures")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("overlap: skipp", "p.overlap: found 'skipp', allowed are skip, queue, allow; did you mean 'skip'?"),
        ("overlap: 1", "p.overlap: found 1"),
        ("catchup: last", "p.catchup: found 'last', allowed are latest, all, none"),
        ("max-catchup: 0", "p.max-catchup: found 0 (an integer), allowed is a whole number from 1"),
        ("max_catchup: 5", "p.max_catchup: unknown key in a pipeline"),
        ("grace: soon", "p.grace: found 'soon', allowed is seconds as a number"),
        ("grace: true", "p.grace: found true"),
        ("grace: -5", "p.grace: found -5"),
        ("grace: [1]", "p.grace: found"),
        ("retry: often", "p.retry: found 'often', allowed is a whole number from 0"),
        ("retry: {times: x}", "p.retry.times: found 'x'"),
        ("retry: {time: 2}", "p.retry.time: unknown key in what is said of tries again"),
        ("retry: {times: 1, delay: a}", "p.retry.delay: found 'a'"),
        (
            "notify: sometimes",
            "p.notify: found 'sometimes', allowed are always, failures, never, or a mapping",
        ),
        ("notify: failure", "did you mean 'failures'?"),
        ("notify: {wehn: never}", "p.notify.wehn: unknown key, known are when, command"),
        ("notify: {when: often}", "p.notify.when: found 'often', allowed is 'always', 'failures' or 'never'"),
        ("notify: {command: tell}", "p.notify.command: found 'tell', allowed is a list of text"),
        ("notify: {email: {to: a@b, host: m}}", "p.notify.email.from: found nothing"),
        ("notify: {email: {to: a@b, from: c, host: m, prot: 5}}", "p.notify.email.prot: unknown key"),
        ("notify: {email: me}", "p.notify.email: found 'me', allowed is a table"),
    ],
)
def test_wrong_policies_are_told_with_their_line(shelf: Any, line: str, words: str) -> None:
    """What a policy cannot be is told when the file is loaded, with its line; nothing else is."""
    with pytest.raises(ConfigurationError) as caught:
        shelf.stages(ECHO, more=line)
    assert len(caught.value.problems or ()) == 1
    assert words in str(caught.value) and caught.value.line == 3


def test_a_stage_without_an_id_may_keep_nothing(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default outputs are kept under the name; where that is off, those of stages with an id are, and no others."""
    text = "- {name: Say Hello, run: 'who = 1'}\n- {name: again, id: two, run: 'who = 2'}"
    (kept,) = (shelf.stages(text).execute().context["jobs"]["a"]["stages"],)
    assert kept["say-hello"]["outputs"] == {"who": 1} and kept["two"]["outputs"] == {"who": 2}
    monkeypatch.setenv("WORKFLOW_CORE_STAGE_DEFAULT_ID", "false")
    (kept,) = (shelf.stages(text).execute().context["jobs"]["a"]["stages"],)
    assert kept["say-hello"]["outputs"] == {} and kept["two"]["outputs"] == {"who": 2}
    use = "- {name: x, echo: '${{ stages.say-hello.outputs.who }}'}"
    with pytest.raises(ConfigurationError, match="say-hello"):
        shelf.stages(f"{text}\n{use}")


def test_a_failure_may_be_raised(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`execute` tells of a failed stage in its result, or raises where the environment or the file says so."""
    assert shelf.stages(FAIL).execute().status == 1
    shelf.write("workspace.toml", "[schedule]\nstage_raise_error = true\n")
    with pytest.raises(PipelineError, match="not today"):
        shelf.stages(FAIL).execute()
    monkeypatch.setenv("WORKFLOW_CORE_STAGE_RAISE_ERROR", "false")
    assert shelf.stages(FAIL).execute().status == 1


def test_jobs_side_by_side_are_limited(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of jobs at once is that of the pipeline, else of the environment, else of the file."""
    jobs = "\n".join(f"j{number}:\n  stages: [{{name: a, echo: a}}]" for number in range(4))
    assert shelf.jobs(jobs).width == 8
    shelf.write("workspace.toml", "[schedule]\nmax_job_parallel = 3\n")
    assert shelf.jobs(jobs).width == 3
    monkeypatch.setenv("WORKFLOW_CORE_MAX_JOB_PARALLEL", "1")
    pipeline = shelf.jobs(jobs)
    assert (pipeline.width, pipeline.using(workers=5).width) == (1, 5)
    assert pipeline.execute().status == 0
    begun = [
        line["stage"] for line in shelf.lines if line["message"].startswith("Stage ") and "stage" in line
    ]
    assert [name[:2] for name in dict.fromkeys(begun)] == ["j0", "j1", "j2", "j3"]


def test_folders_and_modules_of_the_configuration(shelf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`conf`, `registry`, `filters` and `timezone` of the file hold for templates; variables win over them."""
    shelf.write("workspace.toml", "[schedule]\nconf = 'flows'\nregistry = ['hooks']\nfilters = ['mine']\n")
    shelf.write(
        "mine.py",
        "from sinagot.pipeline import custom_filter\n\n@custom_filter('twice')\ndef twice(x): return 2 * x\n",
    )
    shelf.write(
        "hooks/days.py",
        "from sinagot.pipeline import tag\n\n@tag('t')\ndef give() -> dict: return {'n': 2}\n",
    )
    text = """
    p:
      type: pipeline.Pipeline
      on: {cron: "@daily"}
      jobs:
        a:
          stages:
            - {name: hook, uses: days/give@t}
            - {name: echo, echo: "${{ stages.hook.outputs.n | twice }}"}
    """
    shelf.write("flows/p.yaml", text)
    assert shelf.load().execute().status == 0
    assert read_template("p", root=shelf.root).triggers[0].timezone == "Etc/UTC"
    shelf.write("workspace.toml", (shelf.root / "workspace.toml").read_text() + "timezone = 'Asia/Tokyo'\n")
    assert read_template("p", root=shelf.root).triggers[0].timezone == "Asia/Tokyo"
    monkeypatch.setenv("WORKFLOW_CORE_TIMEZONE", "Europe/Paris")
    template = read_template("p", root=shelf.root)
    assert template.triggers[0].timezone == "Europe/Paris"
    assert "twice" in pickle.loads(pickle.dumps(template)).filters
    monkeypatch.setenv("WORKFLOW_CORE_PATH_CONF", "elsewhere")
    with pytest.raises(ConfigurationError, match=r"there is no folder .*elsewhere"):
        shelf.load()

"""Who gets in, and who does not: hosts, tokens, forms of other sites, sizes, paths."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sinagot.testing import await_true, make_workspace
from tests.dashboard.conftest import Dashboard, Serve

FOREIGN = (
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "127.1",
    "0.0.0.0",
    "",
    "[::2]",
    "a b",
)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, serve_long: Serve) -> Dashboard:
    lab = tmp_path_factory.mktemp("door") / "lab"
    make_workspace(lab, records=["A", "B <b>"]).close()
    return serve_long(lab)


def _raw(dashboard: Dashboard, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", dashboard.port), timeout=60) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


def test_stranger_sees_how_to_get_in_and_nothing_else(dashboard: Dashboard) -> None:
    """Without the token, or with a wrong or an old one, each address of pages and data answers 401 and says what to do."""
    with dashboard.stranger() as stranger:
        for path in (
            "/",
            "/grid",
            "/records/A",
            "/api/v1/status",
            "/api/v1/openapi.json",
            "/events",
            "/parts/overview",
        ):
            for headers in (
                {},
                {"Authorization": f"Bearer {dashboard.token[:-1]}"},
                {"Cookie": "sinagot=1; x=\x7f"},
            ):
                answer = stranger.get(path, headers=headers)
                assert answer.status_code == 401, path
                assert "token" in answer.text.lower()
                assert "REC" not in answer.text
        assert (
            stranger.get(f"/?token={dashboard.token}").status_code == 401
        )  # addresses are logged by proxies
        assert stranger.get("/health").text == "ok\n"


def test_link_becomes_a_cookie_that_scripts_cannot_read(dashboard: Dashboard) -> None:
    """The token is exchanged for a cookie: HttpOnly, SameSite=Strict, not the token itself; a wrong one is told."""
    with dashboard.stranger() as browser:
        assert browser.post("/login", data={"token": "wrong"}).status_code == 401
        answer = browser.post("/login", data={"token": dashboard.token})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert dashboard.token not in cookie
        assert browser.get("/").status_code == 200
        browser.cookies.clear()
        assert browser.get("/").status_code == 401


def test_token_is_told_once_and_nowhere_else(dashboard: Dashboard) -> None:
    """The token stands in the printed link, and in no page, header, or list of processes."""
    answer = dashboard.get("/")
    assert dashboard.token not in answer.text + str(answer.headers)
    command = Path(f"/proc/{dashboard.process.pid}/cmdline")
    if command.exists():
        assert dashboard.token.encode() not in command.read_bytes()
    assert dashboard.text.count(dashboard.token) == 1


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_host_is_refused(dashboard: Dashboard, host: str) -> None:
    """A name that is not ours gets nothing, also with the token: a page elsewhere may have been bound to our address."""
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {dashboard.token}\r\nConnection: close\r\n\r\n"
    assert _raw(dashboard, request.encode()).split(b" ", 2)[1] in (b"403", b"400")


def test_one_host_of_ours_is_needed(dashboard: Dashboard) -> None:
    """None or two hosts are refused; all spellings of this machine are served, whatever port a tunnel has."""
    end = f"Authorization: Bearer {dashboard.token}\r\nConnection: close\r\n\r\n"
    for hosts, codes in (
        ("", (b"403", b"400")),
        ("Host: localhost\r\nHost: evil.example\r\n", (b"403", b"400")),
        ("Host: localhost\r\nHost: localhost\r\n", (b"403", b"400")),
        ("Host: localhost.\r\n", (b"200",)),
        ("Host: LocalHost:9999\r\n", (b"200",)),
        ("Host: [::1]:80\r\n", (b"200",)),
    ):
        assert _raw(dashboard, f"GET / HTTP/1.1\r\n{hosts}{end}".encode()).split(b" ", 2)[1] in codes, hosts
    absolute = f"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n{end}"
    assert _raw(dashboard, absolute.encode()).split(b" ", 2)[1] in (b"400", b"403")


def test_other_sites_can_neither_send_nor_embed(dashboard: Dashboard) -> None:
    """A form, image or script of another site is refused though the browser has our cookie; GET changes nothing."""
    with dashboard.stranger() as browser:
        browser.post("/login", data={"token": dashboard.token})
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Content-Type": "text/plain"},
            {"X-CSRF-Token": "0" * 64},
        ):
            assert browser.post("/api/v1/status", headers=headers).status_code == 403, headers
        embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
        for path in ("/", "/events", "/api/v1/status"):
            assert browser.get(path, headers=embedded).status_code == 403
        followed = {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        }
        assert browser.get("/", headers=followed).status_code == 200


def test_every_answer_keeps_the_browser_from_harm(dashboard: Dashboard) -> None:
    """Each answer, refusals too, forbids inline scripts, frames, guessing of types; pages are not kept."""
    answers = [dashboard.get(path) for path in ("/", "/api/v1/status", "/records/nobody", "/static/app.js")]
    with dashboard.stranger(Host="evil.example") as stranger:
        answers.append(stranger.get("/"))
    for answer in answers:
        assert answer.headers["content-security-policy"].startswith("default-src 'self';")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
        if "/static/" not in str(answer.url):
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/records/..%2f..%2fworkspace.toml",
        "/records/%2e%2e",
        "/records/..%5c..%5cworkspace.toml",
        "/records/A%00",
        "/records/%2Fetc%2Fpasswd",
        "/records/A/file?step=first&slot=0&item=-1",
        "/records/A/file?step=../first&slot=0",
        "/records/A/file?step=first&slot=99",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static//etc/passwd",
        "/api/v1/records/..%2f..%2fworkspace.toml",
        "/api/v1/records/A/preview?step=first&slot=0&item=7",
        "/api/v1/records/%ff%fe",
    ],
)
def test_no_path_leaves_the_dataset(dashboard: Dashboard, path: str) -> None:
    """Ids are looked up, files are named by step and number: whatever is written in an address, no other file is read."""
    end = f"Host: localhost\r\nAuthorization: Bearer {dashboard.token}\r\nConnection: close\r\n\r\n"
    answer = _raw(dashboard, f"GET {path} HTTP/1.1\r\n{end}".encode())
    assert answer.split(b" ", 2)[1] in (b"400", b"404", b"422")
    assert b"id_pattern" not in answer
    assert b"root:" not in answer
    assert b"import" not in answer


def test_links_out_of_the_dataset_are_not_followed(tmp_path: Path, serve: Serve) -> None:
    """A file of a record that is a link to elsewhere is not shown, nor is a device or a pipe."""
    make_workspace(tmp_path / "lab", records=["A", "B"]).close()
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret")
    for record_id, target in (("A", secret), ("B", Path("/dev/zero"))):
        raw = tmp_path / "lab" / "dataset" / "raw" / f"{record_id}.txt"
        raw.unlink()
        raw.symlink_to(target)
    dashboard = serve(tmp_path / "lab")
    for record_id in ("A", "B"):
        for path in ("/parts/records/{}/file", "/records/{}/file", "/api/v1/records/{}/preview"):
            answer = dashboard.get(path.format(record_id), params={"step": "first", "slot": 0})
            assert "a secret" not in answer.text
            assert answer.status_code == 403 or "outside" in answer.text


def test_bodies_and_headers_have_an_end(dashboard: Dashboard) -> None:
    """A body beyond a megabyte, said or not, and a header beyond some kilobytes are refused; the server lives on."""
    connection = http.client.HTTPConnection("127.0.0.1", dashboard.port, timeout=60)
    connection.request("POST", "/login", headers={"Content-Length": str(1 << 40)})
    assert connection.getresponse().status == 413
    connection.close()

    def pieces() -> object:
        for _ in range(40):
            yield b"x" * 65536

    for method, path in (
        ("POST", "/login"),
        ("POST", "/api/v1/pipelines/x/runs"),
        ("PUT", "/api/v1/schedules/x"),
    ):
        headers = {"Content-Type": "application/json"} if "api" in path else {}
        answer = dashboard.client.request(method, path, content=pieces(), headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 413, path
    try:
        said = _raw(dashboard, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n")
        assert said.split(b" ", 2)[1:2] in ([b"400"], [b"431"], [])
    except OSError:
        pass
    assert dashboard.get("/").status_code == 200


@pytest.mark.slow
def test_half_requests_are_closed(dashboard: Dashboard) -> None:
    """A connection that begins a request and does not end it is closed after some seconds, whoever else comes."""
    with socket.create_connection(("127.0.0.1", dashboard.port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-")
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass


def test_clients_of_the_stream_are_counted(dashboard: Dashboard) -> None:
    """Beyond some dozens of open pages the stream of news is refused, and nothing else is; who goes makes room."""
    opened = []
    headers = {"Authorization": f"Bearer {dashboard.token}"}
    for _ in range(33):
        client = dashboard.stranger(**headers)
        answer = client.send(client.build_request("GET", "/events"), stream=True)
        opened.append((client, answer))
    codes = [answer.status_code for _, answer in opened]
    assert codes == [200] * 32 + [503]
    assert dashboard.get("/").status_code == 200
    for client, answer in opened:
        answer.close()
        client.close()

    def is_taken() -> bool:
        with dashboard.stranger(**headers) as client, client.stream("GET", "/events") as answer:
            return answer.status_code == 200

    await_true(is_taken, "room for another page")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_soon_whoever_is_connected(tmp_path: Path, serve: Serve, number: int) -> None:
    """Ctrl-C ends the server with 130 and SIGTERM with 143, also while a page listens."""
    make_workspace(tmp_path / "lab").close()
    dashboard = serve(tmp_path / "lab")
    headers = {"Authorization": f"Bearer {dashboard.token}"}
    with dashboard.stranger(**headers) as client, client.stream("GET", "/events") as answer:
        assert next(answer.iter_lines())
        code = dashboard.stop(number)
    assert code == 128 + number
    assert "Traceback" not in dashboard.text


def _serve_once(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "sinagot", "-w", str(folder), "serve", *options],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


def test_other_machines_only_with_a_token_of_ones_own(tmp_path: Path) -> None:
    """Beyond this machine it wants a token and a name; a token that others can read or guess is refused."""
    lab = tmp_path / "lab"
    make_workspace(lab).close()
    token = tmp_path / "token"
    token.write_text("short")
    token.chmod(0o644)
    for options, words in (
        (["--host", "0.0.0.0"], "--token-file"),
        (["--token-file", str(token)], "chmod 600"),
    ):
        found = _serve_once(lab, *options)
        assert found.returncode == 2
        assert words in found.stderr
    token.chmod(0o600)
    found = _serve_once(lab, "--host", "0.0.0.0", "--token-file", str(token))
    assert (found.returncode, "--allow-host" in found.stderr) == (2, True)
    found = _serve_once(lab, "--token-file", str(token))
    assert found.returncode == 4
    assert "characters" in found.stderr
    assert not (lab / "dataset" / ".sinagot").exists()


def test_port_that_is_taken_is_told(dashboard: Dashboard) -> None:
    """A second server on one port says so, and what to do."""
    found = _serve_once(dashboard.folder, "--port", str(dashboard.port))
    assert found.returncode == 4
    assert "--port 0" in found.stderr


def test_missing_package_names_the_extra(tmp_path: Path) -> None:
    """Where the web packages are absent the command says which extra has them."""
    make_workspace(tmp_path / "lab").close()
    (tmp_path / "shadow" / "fastapi").mkdir(parents=True)
    (tmp_path / "shadow" / "fastapi" / "__init__.py").write_text(
        "raise ModuleNotFoundError('No module named fastapi', name='fastapi')"
    )
    found = _serve_once(tmp_path / "lab", PYTHONPATH=str(tmp_path / "shadow"))
    assert found.returncode == 4
    assert "'web'" in found.stderr

#!/usr/bin/env python3
"""Holds scripts/bootstrap.sh to what it says of fetching Swift, with a server of this machine that has a small archive
in Swift's place: whole, cut short, signed by another key or one that was revoked, changed after signing; asked for,
declined, not asked.

Usage: scripts/checks/check-bootstrap.py
"""

import contextlib
import functools
import http.server
import io
import os
import pathlib
import pty
import re
import subprocess
import sys
import tarfile
import tempfile
import threading

BOOTSTRAP = pathlib.Path(__file__).resolve().parents[1] / "bootstrap.sh"
SWIFT = b'#!/bin/sh\necho "Swift version 6.3.1 (swift-6.3.1-RELEASE)"\n'


class Host(http.server.BaseHTTPRequestHandler):
    """Serves `archive`, `signature` and `keys` by what a path ends with; `cut` closes before the archive's end."""

    def __init__(self, files, log, *rest):
        self.files, self.log = files, log
        super().__init__(*rest)

    def do_GET(self):
        kind = next(
            (kind for end, kind in [(".tar.gz.sig", "signature"), (".tar.gz", "archive"), ("/keys/all-keys.asc", "keys")]
             if self.path.endswith(end)), None)
        self.log.append(self.path)
        if kind is None or kind not in self.files:
            return self.send_error(404)
        data = self.files[kind]
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:len(data) // 2] if kind == "archive" and self.files.get("cut") else data)

    def log_message(self, *arguments):
        pass


def archive():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        entry = tarfile.TarInfo("swift-6.3.1-RELEASE-any/usr/bin/swift")
        entry.mode, entry.size = 0o755, len(SWIFT)
        tar.addfile(entry, io.BytesIO(SWIFT))
        # So that a part of it is no whole.
        filler = os.urandom(100_000)
        entry = tarfile.TarInfo("swift-6.3.1-RELEASE-any/usr/lib/filler")
        entry.size = len(filler)
        tar.addfile(entry, io.BytesIO(filler))
    return data.getvalue()


class Keys:
    """Two keys for signing, in a folder of gpg."""

    def __init__(self, folder):
        self.environment = os.environ | {"GNUPGHOME": str(folder)}
        folder.mkdir(mode=0o700)
        self.fingerprints = []
        for name in ["release", "other"]:
            self.gpg("--passphrase", "", "--quick-generate-key", f"{name} <{name}@localhost>", "ed25519", "sign", "never")
            listed = self.gpg("--with-colons", "--list-keys", f"{name}@localhost").decode()
            self.fingerprints.append(next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:")))

    def gpg(self, *arguments, data=b""):
        return subprocess.run(
            ["gpg", "--batch", "--quiet", *arguments], check=True, input=data, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=self.environment).stdout

    def signature(self, data, by=0):
        return self.gpg("--detach-sign", "--local-user", self.fingerprints[by], data=data)

    def public(self):
        return self.gpg("--armor", "--export")

    def revoke(self):
        """The first key signs no more; what it has signed is no longer trusted."""
        folder = pathlib.Path(self.environment["GNUPGHOME"])
        # gpg keeps a certificate for that, with a colon before its first line so that nobody revokes by mistake.
        text = (folder / "openpgp-revocs.d" / f"{self.fingerprints[0]}.rev").read_text()
        self.gpg("--import", data=text[text.index(":-----") + 1:].encode())

    def end(self):
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=self.environment, check=False)


class Bootstrap:
    """A machine without Swift, on which all packages are installed."""

    def __init__(self, folder, port, key):
        self.folder = folder
        tools = folder / "bin"
        tools.mkdir()
        for name in ["bash", "sh", "cat", "curl", "dirname", "gpg", "grep", "gzip", "head", "mkdir", "mktemp", "mv", "rm", "sed",
                     "tar", "uname", "gpg-agent", "gpgconf"]:
            path = subprocess.run(["which", name], text=True, stdout=subprocess.PIPE).stdout.strip()
            if path:
                (tools / name).symlink_to(path)
        self.write(tools / "dpkg-query", b"#!/bin/sh\necho install ok installed\n")
        self.environment = {
            "PATH": str(tools), "HOME": str(folder), "LYCO_SWIFT_HOST": f"http://127.0.0.1:{port}",
            "LYCO_SWIFT_KEY": key, "TERM": "dumb"}

    @staticmethod
    def write(path, data):
        path.write_bytes(data)
        path.chmod(0o755)

    def run(self, *arguments, answer=None):
        """Status, standard output, standard error; an answer is given at a terminal."""
        source = subprocess.DEVNULL
        if answer is not None:
            control, source = pty.openpty()
            os.write(control, answer)
        try:
            done = subprocess.run(
                ["bash", BOOTSTRAP, *arguments], stdin=source, capture_output=True, text=True, env=self.environment)
        finally:
            if answer is not None:
                os.close(control), os.close(source)
        return done.returncode, done.stdout, done.stderr

    def unpacked(self):
        swift = self.folder / ".local/share/swift"
        return sorted(path.name for path in swift.iterdir()) if swift.exists() else []


def main():
    failed = []
    with contextlib.ExitStack() as stack:
        work = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # Signing needs an agent, and so a short path.
        keys = Keys(pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))) / "keys")
        stack.callback(keys.end)
        good = archive()
        signature = keys.signature(good)
        files, asked = {}, []
        server = stack.enter_context(
            http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Host, files, asked)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)

        def case(
                name, served, *arguments, status=1, says="", key=keys.fingerprints[0], answer=None, swift=None,
                fetches=True):
            files.clear()
            files.update({"archive": good, "signature": signature, "keys": keys.public()} | served)
            asked.clear()
            # Longer than the path of a socket may be, which gpg's agent would need.
            folder = work / (name.replace(" ", "-") + "-far" * 20)
            folder.mkdir()
            machine = Bootstrap(folder, server.server_port, key)
            if swift:
                machine.write(folder / "bin/swift", swift)
            found, output, errors = machine.run(*arguments, answer=answer)
            here = machine.unpacked()
            problems = []
            if found != status:
                problems.append(f"expected status {status}, found {found}")
            if says not in errors:
                problems.append(f"expected '{says}'")
            if bool(asked) != fetches:
                problems.append(f"expected {'something' if fetches else 'nothing'} to be fetched, found {asked}")
            if status == 0 and fetches:
                path = pathlib.Path(output.strip())
                if not (path / "swift").exists() or path.parents[1].parent != folder / ".local/share/swift":
                    problems.append(f"expected the folder of swift, found '{output}'")
                asked.clear()
                if machine.run() != (0, output, "") or asked:
                    problems.append("expected a second run to find it")
            elif here or output:
                problems.append(f"expected nothing unpacked, found {here} {output}")
            if problems:
                failed.append(name)
                print(f"{name}: {'; '.join(problems)}\n{errors}", file=sys.stderr)

        case("good", {}, "--yes", status=0, says="is signed by the key")
        case("asked for", {}, answer=b"y\n", status=0)
        case("declined", {}, answer=b"n\n", says="Swift is needed", fetches=False)
        case("nobody to ask", {}, says="--yes", fetches=False)
        case("cut off", {"cut": True}, "--yes", says="cannot be fetched whole")
        short = {"archive": good[:len(good) // 2]}
        case("truncated", short, "--yes", says="expected a signature by")
        # Whoever can sign a part still cannot have it unpacked.
        case("truncated and signed", short | {"signature": keys.signature(short["archive"])}, "--yes",
             says="cannot be unpacked")
        case("changed", {"archive": good[:-9] + bytes([good[-9] ^ 1]) + good[-8:]}, "--yes",
             says="expected a signature by")
        # A key of the list, and the signature is valid: but it is not Swift's key for releases.
        case("another key", {"signature": keys.signature(good, by=1)}, "--yes", says="expected a signature by")
        # As pages show fingerprints.
        spaced = " ".join(re.findall("....", keys.fingerprints[0].lower()))
        case("a key in groups", {}, "--yes", status=0, key=spaced)
        case("a part of a key", {}, "--yes", key=keys.fingerprints[0][-16:], says="40 digits", fetches=False)
        case("no signature", {"signature": b"none"}, "--yes", says="expected a signature by")
        case("no keys", {"keys": b"none"}, "--yes", says="expected keys")
        case("nothing there", {"archive": b"", "signature": b""}, "--yes", says="expected a signature by")
        case("old", {}, "--yes", status=0, says="is older or does not run",
             swift=SWIFT.replace(b"6.3.1", b"6.2.4"))
        case("new", {}, status=0, fetches=False, swift=SWIFT.replace(b"6.3.1", b"6.10"))
        case("odd words", {}, "--no", says="expected '--yes' or nothing", fetches=False)
        case("a word too many", {}, "--yes", "no", says="expected '--yes' or nothing", fetches=False)
        keys.revoke()
        case("a key that was revoked", {}, "--yes", says="expected a signature by")
    if failed:
        sys.exit(f"check-bootstrap.py: {len(failed)} cases failed: {', '.join(failed)}")
    print("check-bootstrap.py: Swift is fetched whole and signed by its key, or not at all")


if __name__ == "__main__":
    main()

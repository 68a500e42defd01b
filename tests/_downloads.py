"""What the tests of data sets share: a network that serves what it is told to."""

from pathlib import Path

import pooch


def serve(monkeypatch, files: dict[str, bytes]) -> list[str]:
    """Let pooch download these, by their URL, and nothing else; the URLs asked for are noted."""
    asked: list[str] = []

    def choose_downloader(url, progressbar=False):
        def write(url, output_file, pooch_instance):
            asked.append(url)
            if url not in files:
                raise OSError("Max retries exceeded")
            Path(output_file).write_bytes(files[url])

        return write

    monkeypatch.setattr("pooch.core.choose_downloader", choose_downloader)
    return asked


def cut_off(monkeypatch, tmp_path) -> Path:
    """No ``LSTMZOO_DATA``, no network, and an empty cache at the path returned."""
    monkeypatch.delenv("LSTMZOO_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache")
    serve(monkeypatch, {})
    return tmp_path / "cache"

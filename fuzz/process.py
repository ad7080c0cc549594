"""The process that fuzzes one target until an input fails or the time is over; `python -m fuzz` starts it.

    python -m fuzz.process TARGET SECONDS FOLDER [BUILD]

TARGET is one of targets.py, or the `module:function` of another. The ground is loaded so that atheris sees which of its
ways an input takes; BUILD is a folder with twins that tell theirs (build.py). FOLDER keeps the inputs that have led to
new ways (`corpus`), and the one that has failed (`found-...`). The exit status is 0 if none has.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import sys
import types

LONGEST = 4096


def main() -> None:
    """Fuzz. Does not return: libFuzzer ends the process."""
    name, seconds, folder = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
    # Extensions that were built for it call libFuzzer, which stands in one of atheris.
    sys.setdlopenflags(sys.getdlopenflags() | os.RTLD_GLOBAL)
    import atheris

    if len(sys.argv) > 4:
        from fuzz.build import use

        use(pathlib.Path(sys.argv[4]))
    # The ground alone: `import aioweb` loads all of the house, and atheris would rewrite every module of it.
    package = sys.modules["aioweb"] = types.ModuleType("aioweb")
    package.__path__ = [str(pathlib.Path(__file__).parents[1] / "aioweb")]
    with atheris.instrument_imports(include=["aioweb.protocol"]):
        from fuzz import targets
        from fuzz.seeds import seeds, words
    module, _, function = name.rpartition(":")
    target = getattr(importlib.import_module(module), function) if module else targets.TARGETS[name]

    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, octets in enumerate(seeds(function)):
        (corpus / f"seed-{number}").write_bytes(octets)
    arguments = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=10", "-rss_limit_mb=1024"]
    arguments += [f"-artifact_prefix={folder}/found-", "-print_final_stats=1"]
    if words(function):
        dictionary = folder / "words"
        dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words(function)), "ascii")
        arguments.append(f"-dict={dictionary}")
    atheris.Setup([sys.argv[0], *arguments, str(corpus)], target)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{octet:02x}" for octet in word)


if __name__ == "__main__":
    main()

"""--dry-run and --index-only: what is done and said without a model's weights."""

from pathlib import Path

import pytest

from app.ask.flags import parse
from app.ask.library import Library
from app.ask.planning import plan_models
from app.ask.roles.open import open_roles
from tests.app.programs import Run

ASK = "qwen2-ask"


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test where a weight of a model is computed with, or so much as read."""

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr("mlx.core.eval", forbidden)
    monkeypatch.setattr("qwen2_mlx.models.Model.__call__", forbidden)
    monkeypatch.setattr("app.ask.opening.open_roles", forbidden)


@pytest.fixture
def long_file(tmp_path: Path) -> Path:
    path = tmp_path / "long.txt"
    path.write_text("\n".join(f"The harbour of year {year} was cold and quiet." for year in range(300)))
    return path


def rows(out: str) -> dict[str, str]:
    """The lines of a plan by their names."""
    return {line[:11].strip(): line[11:].strip() for line in out.splitlines()}


def test_sizes_are_those_of_the_loaded_models() -> None:
    plan = plan_models(parse(["Who?", "a.txt"]))
    roles = open_roles("tiny")
    assert (plan.sizes, plan.model, plan.scout) == (roles.sizes, roles.model_name, roles.scout_name)


@pytest.mark.usefixtures("no_weights")
def test_a_dry_run_says_what_would_be_done(run: Run, long_file: Path) -> None:
    done = run(ASK, "--dry-run", "Who?", long_file)
    assert (done.code, done.err) == (0, "")
    plan = rows(done.out)
    tokens = int(plan["documents"].split()[-2].replace(",", ""))
    assert plan["documents"].startswith(f"1 file, {len(long_file.read_text()):,} characters, ")
    assert 3000 < tokens < 8000
    windows, size = int(plan["windows"].split()[0]), int(plan["windows"].split()[-2])
    assert tokens / size <= windows <= 2 * tokens / size
    assert (plan["model"], plan["scout"], plan["begins with"]) == ("tiny", "the same", "retrieve")
    assert plan["time"] == plan["at most"] == "unknown: not measured on this machine yet"
    assert plan["disk"].startswith("about ")


@pytest.mark.usefixtures("no_weights")
def test_a_dry_run_heeds_the_flags_that_change_the_plan(run: Run, long_file: Path) -> None:
    wide = rows(run(ASK, "--dry-run", "--window", "2000", "--mode", "read", "Who?", long_file).out)
    assert wide["windows"].endswith("of up to 2,000 tokens")
    assert int(wide["windows"].split()[0]) <= 5
    assert wide["begins with"] == "read"


@pytest.mark.usefixtures("no_weights")
def test_a_dry_run_counts_the_pages_that_are_asked_about(run: Run, long_file: Path) -> None:
    plan = rows(run(ASK, "--dry-run", "--pages", "1-30", "Who?", long_file).out)
    assert 300 < int(plan["documents"].split()[-2].replace(",", "")) < 800
    assert int(plan["windows"].split()[0]) <= 4


def test_times_are_known_once_they_were_measured(run: Run, long_file: Path) -> None:
    with Library.open() as library:
        for name in ("prefill", "generate", "read", "notes"):
            library.save_speed(f"tiny/{name}", 1000.0)
    plan = rows(run(ASK, "--dry-run", "Who?", long_file).out)
    assert plan["time"] == "about 0:00"
    assert "about 0:0" in plan["at most"]


@pytest.mark.usefixtures("no_weights")
def test_indexing_reads_every_document_once(run: Run, long_file: Path) -> None:
    (long_file.parent / "short.md").write_text("# Title\n\nThe harbour was closed.\n")
    done = run(ASK, "--index-only", long_file.parent)
    assert done.code == 0
    assert done.out.startswith("2 documents indexed, ")
    with Library.open() as library:
        before = {file.path: file.id for file in library.files()}
        assert len(before) == 2
        plan = plan_models(parse(["Who?", "a.txt"]))
        tokens = library.tokens(plan.cut(library.files(), library, _Nobody()))
    assert f"{tokens:,} tokens" in done.out
    assert run(ASK, "--index-only", long_file.parent).out == done.out
    with Library.open() as library:
        assert {file.path: file.id for file in library.files()} == before


class _Nobody:
    """Fails the test where a document is indexed again."""

    stoppable = plain = False

    def happened(self, event: object) -> None:
        raise AssertionError(event)

    def tell(self, message: str) -> None:
        raise AssertionError(message)

    def close(self) -> None:
        pass

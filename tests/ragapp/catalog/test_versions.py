"""The catalog's version is another one after each commit, by whichever thread or process, and the same without one."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ragapp.catalog.catalog import Catalog
from ragapp.errors import CatalogError


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.open(tmp_path)


def test_it_stays_where_nothing_is_committed(catalog: Catalog) -> None:
    before = catalog.version()
    catalog.people.list()
    catalog.totals()
    assert catalog.version() == before
    catalog.close()


def test_it_changes_with_each_commit_of_this_process(catalog: Catalog) -> None:
    seen = [catalog.version()]
    ada = catalog.people.add("ada")
    seen.append(catalog.version())
    catalog.people.set_groups(ada.id, ["board"])
    seen.append(catalog.version())
    thread = threading.Thread(target=catalog.people.set_active, args=(ada.id, False))
    thread.start()
    thread.join()
    seen.append(catalog.version())
    assert len(set(seen)) == 4
    catalog.close()


def test_it_changes_with_a_commit_of_another_process(catalog: Catalog, tmp_path: Path) -> None:
    before = catalog.version()
    said = "import sys; from pathlib import Path; from ragapp.catalog.catalog import Catalog; "
    code = f"{said} Catalog.open(Path(sys.argv[1])).people.add('bob')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert catalog.version() != before
    catalog.close()


def test_it_is_told_in_words_where_the_catalog_is_gone(catalog: Catalog, tmp_path: Path) -> None:
    catalog.close()
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(CatalogError):
        catalog.version()
    assert not list(tmp_path.iterdir())

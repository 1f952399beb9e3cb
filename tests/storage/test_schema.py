"""How connections to the database behave."""

import sqlite3

import pytest
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.storage.schema import Base, DealRow, PackageRow, RunRow, open_engine


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(f"sqlite:///{(tmp_path / 'workspace.db').as_posix()}")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def a_run(run_id="r"):
    return RunRow(id=run_id, name="n", filename="f", created_at="t", saved_at="t", report={})


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30_000)],
)
def test_every_connection_is_durable_and_strict(engine, pragma, value):
    with engine.connect() as one, engine.connect() as other:
        for connection in (one, other):
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def locks(engine: Engine) -> bool:
    """Say whether some other program would have to wait with writing."""
    other = sqlite3.connect(str(make_url(str(engine.url)).database), timeout=0)
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return "locked" in str(error)
    else:
        return False
    finally:
        other.close()


def test_writer_takes_its_lock_before_it_reads_and_a_reader_takes_none(engine):
    with engine.begin():
        assert not locks(engine)
    with engine.execution_options(writer=True).begin():
        assert locks(engine)
    assert not locks(engine)


def test_two_deals_of_one_id_cannot_stand_in_one_run(engine):
    with Session(engine) as session, session.begin():
        session.add_all([a_run("r"), a_run("s")])
        session.flush()
        session.add_all([DealRow(run_id=run_id, position=0, deal_id="1", record={}) for run_id in "rs"])
    with Session(engine) as session:
        session.add(DealRow(run_id="r", position=1, deal_id="1", record={}))
        with pytest.raises(IntegrityError):
            session.commit()


def test_nothing_can_belong_to_a_run_that_is_not_there(engine):
    with Session(engine) as session:
        session.add(PackageRow(id="p", run_id="gone", position=0, version=1, package={}))
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            session.commit()

"""Reading and driving the review of packages."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from core.packages import Package
from core.packages.sheet import PackageSheet, sheets_of
from core.storage import Workspace
from core.wording.findings import open_errors
from tests.pages.conftest import open_page, select_rows, table


def status_counts(app: AppTest) -> dict[str, int]:
    """Return the counts on the chips by their words."""
    options = app.segmented_control(key="package_status").proto.options
    parts = (option.content.split("] ")[-1].rsplit(" ", 1) for option in options)
    return {name: int(count) for name, count in parts}


def show(app: AppTest, queue: str) -> AppTest:
    """Choose a chip."""
    app.segmented_control(key="package_status").set_value(queue)
    return app.run()


def view(app: AppTest, name: str) -> AppTest:
    """Choose a view of the page."""
    found = next(item for item in app.segmented_control if item.key.startswith("packages_view"))
    found.set_value(name)
    return app.run()


def queued(app: AppTest) -> list[str]:
    """Return the names in the list, in their order."""
    return [name.removeprefix("▶ ") for name in table(app, "Package").value["Package"]]


def in_focus(app: AppTest) -> str:
    """Return the name of the package on the card."""
    (name,) = [name for name in table(app, "Package").value["Package"] if name.startswith("▶ ")]
    return name.removeprefix("▶ ")


def tick(app: AppTest, *packages: Package) -> AppTest:
    """Tick packages of the list."""
    names = queued(app)
    return select_rows(app, "packages_", [names.index(package.name) for package in packages])


def reviewed(run_id: str, package: Package) -> AppTest:
    """Open the page with this package on the card."""
    return tick(open_page("packages", run_id), package)


def sheets(store: Workspace, run_id: str) -> tuple[PackageSheet, ...]:
    """Return what is true of every package as it is saved."""
    deals = {deal.deal_id: deal for deal in store.deals(run_id)}
    return tuple(sheets_of(store.packages(run_id), deals, store.check_rules(run_id)))


def sheet(store: Workspace, run_id: str, package: Package) -> PackageSheet:
    """Return what is true of a package as it is saved."""
    return next(item for item in sheets(store, run_id) if item.package.id == package.id)


def sound(store: Workspace, run_id: str) -> list[Package]:
    """Return the packages without an error."""
    return [item.package for item in sheets(store, run_id) if not open_errors(item.findings, ())]


def unsound(store: Workspace, run_id: str) -> list[Package]:
    """Return the packages with an error."""
    fine = sound(store, run_id)
    return [package for package in store.packages(run_id) if package not in fine]


def current(store: Workspace, run_id: str, package: Package) -> Package:
    """Return the package as it is saved now."""
    return next(item for item in store.packages(run_id) if item.id == package.id)


def name_box(app: AppTest):
    """Return the box for the name."""
    return next(item for item in app.text_input if item.label == "Name")


def reasoning_box(app: AppTest):
    """Return the box for the reasoning."""
    return next(item for item in app.text_area if item.label == "Reasoning")

"""A file that was edited elsewhere comes back with its differences, and an untouched one with none."""

import csv
import io
import json
from dataclasses import replace

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.deals import Deal
from core.errors import ImportRefused
from core.exports import (
    ExportOptions,
    diff,
    packages_deals_csv,
    packages_json,
    read_back,
    read_document,
    with_accepted,
    workbook_xlsx,
)
from core.exports.xlsx_writer import Sheet, write_workbook
from core.packages import (
    AddDeals,
    EditPackages,
    MakePackage,
    Reject,
    RemoveDeals,
    Rename,
    Review,
    SetReasoning,
    perform,
)
from core.reading.tables import read_table
from core.wording.findings import CheckRules
from core.wording.generated_text import counted_reasoning
from tests.exports.sheets import ABOUT, APPROVED, PACKAGE, sheet_of_deals, sheets

DEALS = {
    deal.deal_id: deal for deal in map(Deal, ("0042", "13", "14", "549644398148090651", "x=1", "-5", "1e5"))
}
ONE = replace(APPROVED, id="pkg-1", name="One", deal_ids=("0042", "13"))
TWO = replace(APPROVED, id="pkg-2", name="=Two", deal_ids=("549644398148090651", "-5", "1e5"))
BOTH = (ONE, TWO)
# No id and no name has NUL: readers of files drop it, and so does everything that names a package.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
ID = TEXT.map("i{}d".format)


def made():
    return sheets(*BOTH, deals=tuple(DEALS.values()))


def exported(**options):
    return packages_deals_csv(made(), ExportOptions(**options))


def rows():
    return list(csv.DictReader(io.StringIO(exported().decode(), newline="")))


def written(table, **dialect):
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, table[0], **dialect)
    writer.writeheader()
    writer.writerows(table)
    return stream.getvalue().encode()


def differences(data, packages=BOTH, name="packages_deals.csv"):
    return diff(read_back(data, name, read_table), packages, DEALS)


def commands(data, **options):
    return [item.command for item in differences(data, **options)]


def edited(package_id, *edits):
    return EditPackages((package_id,), edits)


# --- untouched ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bom", [False, True])
@pytest.mark.parametrize("excel_safe_ids", [False, True])
def test_an_untouched_csv_gives_no_difference(bom, excel_safe_ids):
    assert differences(exported(bom=bom, excel_safe_ids=excel_safe_ids)) == ()


def test_an_untouched_document_gives_no_difference_and_the_same_bytes():
    data = packages_json(made(), ABOUT)
    assert differences(data, name="packages.json") == ()
    assert packages_json(*read_document(data, "packages.json")) == data


def test_an_untouched_workbook_gives_no_difference():
    assert differences(workbook_xlsx(made(), ABOUT), name="packages.xlsx") == ()


def test_a_document_saved_with_a_byte_order_mark_gives_no_difference():
    text = packages_json(made(), ABOUT).decode()
    assert differences(text.encode("utf-8-sig"), name="packages.json") == ()
    assert differences(text.encode("utf-16"), name="packages.json") == ()


@pytest.mark.parametrize(
    "save",
    [
        lambda data: written(list(csv.DictReader(io.StringIO(data.decode()))), delimiter=";"),
        lambda data: written(list(csv.DictReader(io.StringIO(data.decode()))), delimiter="\t"),
        lambda data: (
            b"\xef\xbb\xbf" + written(list(csv.DictReader(io.StringIO(data.decode()))), delimiter=";")
        ),
        lambda data: data.replace(b"\r\n", b"\n"),
        lambda data: b"sep=,\r\n" + data,
        lambda data: data.decode().encode("utf-16"),
        lambda data: written(list(reversed(list(csv.DictReader(io.StringIO(data.decode())))))),
        lambda data: written(
            [dict(reversed(row.items())) for row in csv.DictReader(io.StringIO(data.decode()))]
        ),
    ],
    ids=["semicolons", "tabs", "bom", "line ends", "sep", "utf-16", "sorted rows", "moved columns"],
)
@pytest.mark.parametrize("excel_safe_ids", [False, True])
def test_another_program_that_saves_it_makes_no_difference(save, excel_safe_ids):
    assert differences(save(exported(excel_safe_ids=excel_safe_ids))) == ()


def test_the_file_is_read_in_a_child_process_by_default():
    assert diff(read_back(exported(), "packages_deals.csv"), BOTH, DEALS) == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(TEXT, min_size=1, max_size=3),
    st.lists(ID, min_size=1, unique=True),
)
@example(["=1+1", "a\r\nb;c"], ["i,d", 'i"d'])
@example(["One\0Two"], ["id"])
def test_hostile_names_and_ids_make_no_difference(names, ids):
    deals = tuple(map(Deal, ids))
    packages = [
        replace(PACKAGE, id=f"pkg-{number}", name=name or "x", deal_ids=tuple(ids))
        for number, name in enumerate(names)
    ]
    data = packages_deals_csv(sheets(*packages, deals=deals))
    returned = read_back(data, "packages_deals.csv", read_table)
    assert diff(returned, packages, {deal.deal_id: deal for deal in deals}) == ()


@pytest.mark.parametrize("name", ["'=SUM(A1)", '="abc"', "''=x", "=1+1", "'+49 Sports", "_x0041_"])
def test_hostile_names_and_ids_come_back_from_a_workbook_as_they_are(name):
    ids = ('="7"', "'=9", "1E5", "=1+1")
    deals = tuple(map(Deal, ids))
    package = replace(PACKAGE, name=name, deal_ids=ids)
    data = workbook_xlsx(sheets(package, deals=deals), ABOUT)
    returned = read_back(data, "packages.xlsx", read_table)
    assert diff(returned, [package], {deal.deal_id: deal for deal in deals}) == ()


def test_a_guarded_csv_that_a_spreadsheet_saved_as_a_workbook_loses_its_guard():
    package = replace(PACKAGE, name="=1+1")
    header, *lines = csv.reader(io.StringIO(packages_deals_csv(sheets(package)).decode(), newline=""))
    data = write_workbook([Sheet("packages_deals", header, lines)])
    assert diff(read_back(data, "packages_deals.xlsx", read_table), [package], DEALS) == ()


# --- edited -------------------------------------------------------------------------------------


def test_a_new_name_in_every_row_or_in_one_becomes_a_rename():
    everywhere = [{**row, "package_name": "New"} if row["package_id"] == "pkg-1" else row for row in rows()]
    once = [{**row, "package_name": "New"} if row["deal_id"] == "13" else row for row in rows()]
    for table in (everywhere, once):
        (found,) = differences(written(table))
        assert (found.kind, found.package_id) == ("renamed", "pkg-1")
        assert found.command == edited("pkg-1", Rename("New"))
        assert found.sentence == "'One': rename it to 'New'."


def test_several_new_names_of_one_package_are_refused():
    table = [{**row, "package_name": row["deal_id"]} for row in rows() if row["package_id"] == "pkg-1"]
    found = differences(written(table), packages=[ONE])
    assert [(item.kind, item.command) for item in found] == [("refused", None)]


def test_added_and_removed_rows_become_edits_of_the_members():
    table = rows()
    added = {**table[0], "deal_id": "14"}
    assert commands(written([*table, added])) == [edited("pkg-1", AddDeals(("14",)))]
    assert commands(written(table[1:])) == [edited("pkg-1", RemoveDeals(("0042",)))]
    swapped = [{**table[0], "deal_id": "14"}, *table[1:]]
    assert commands(written(swapped)) == [
        edited("pkg-1", AddDeals(("14",))),
        edited("pkg-1", RemoveDeals(("0042",))),
    ]


def test_a_package_that_is_not_in_the_file_can_be_rejected():
    (found,) = differences(written([row for row in rows() if row["package_id"] == "pkg-1"]))
    assert (found.kind, found.package_id) == ("missing", "pkg-2")
    assert found.command == edited("pkg-2", Reject())


@pytest.mark.parametrize("package_id", ["", "pkg-99"])
def test_rows_of_a_package_that_is_not_here_make_one(package_id):
    new = [
        {**rows()[0], "package_id": package_id, "package_name": "Third", "deal_id": deal_id}
        for deal_id in ("13", "14")
    ]
    (found,) = differences(written([*rows(), *new]))
    assert found.command == MakePackage("Third", ("13", "14"))


def test_new_packages_of_two_names_are_two():
    new = [{**rows()[0], "package_id": "", "package_name": name} for name in ("A", "B")]
    assert [command.name for command in commands(written([*rows(), *new]))] == ["A", "B"]


def test_unknown_ids_are_refused_and_the_rest_is_offered():
    table = [*rows(), {**rows()[0], "deal_id": "invented"}, {**rows()[0], "deal_id": "14"}]
    refused, added = differences(written(table))
    assert (refused.kind, refused.command, refused.deal_ids) == ("refused", None, ("invented",))
    assert refused.sentence == "'One': no deal of this run has the id invented: check the ids."
    assert added.command == edited("pkg-1", AddDeals(("14",)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("0042", "42"),
        ("549644398148090651", "5.49644E+17"),
        ("549644398148090651", "5,49644E+17"),
        ("549644398148090651", "549644398148090000"),
        ("1e5", "1.00E+05"),
        ("1e5", "100000"),
    ],
)
def test_an_id_that_a_spreadsheet_damaged_is_told_and_its_deal_is_not_taken_out(before, after):
    table = [{**row, "deal_id": after} if row["deal_id"] == before else row for row in rows()]
    (found,) = differences(written(table))
    assert (found.kind, found.command) == ("refused", None)
    assert f"A spreadsheet has changed ids ({after} for {before})" in found.sentence
    assert "Excel-safe ids" in found.sentence


def test_a_row_without_an_id_and_a_row_twice_are_noted():
    table = [*rows(), {**rows()[0], "deal_id": " "}, rows()[0]]
    returned = read_back(written(table), "packages_deals.csv", read_table)
    assert diff(returned, BOTH, DEALS) == ()
    assert [note for note in returned.notes if "no deal id" in note or "counts once" in note] == [
        "Line 7 has no deal id and is passed over.",
        "'One' holds a deal twice; it counts once.",
    ]


def test_a_package_that_was_edited_here_meanwhile_is_marked():
    data = exported()
    later = replace(ONE, name="Renamed here", version=ONE.version + 1)
    (found,) = differences(data, packages=(later, TWO))
    assert (found.kind, found.since_changed) == ("renamed", True)
    (found,) = differences(data, packages=(replace(ONE, name="Other"), TWO))
    assert not found.since_changed


# --- the document -------------------------------------------------------------------------------


def test_edits_of_the_document_become_edits_of_the_packages():
    document = json.loads(packages_json(made(), ABOUT))
    one, two = document["packages"]
    one |= {"reasoning": "Because.", "deal_ids": ["0042", "14"]}
    two["deal_ids"] = []
    document["packages"].append({"package_name": "Third", "deal_ids": ["13"], "reasoning": "New."})
    assert commands(json.dumps(document).encode(), name="packages.json") == [
        edited("pkg-1", SetReasoning("Because.")),
        edited("pkg-1", AddDeals(("14",))),
        edited("pkg-1", RemoveDeals(("13",))),
        edited("pkg-2", Reject()),
        MakePackage("Third", ("13",), "New."),
    ]


def test_a_package_that_stands_twice_is_refused_the_second_time():
    document = json.loads(packages_json(made(), ABOUT))
    document["packages"].append({**document["packages"][0], "package_name": "Again"})
    (found,) = differences(json.dumps(document).encode(), name="packages.json")
    assert (found.kind, found.package_id) == ("refused", "pkg-1")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("text", "holds no object as package 1"),
        ({"package_name": "A", "deal_ids": [42]}, "has no text in deal_ids of package 1"),
        ({"package_name": "A", "deal_ids": "42"}, "has no text in deal_ids of package 1"),
        ({"package_name": "A"}, "has no text in deal_ids of package 1"),
        ({"package_name": 5, "deal_ids": []}, "has no text in package_name of package 1"),
        ({"deal_ids": []}, "has no text in package_name of package 1"),
    ],
)
def test_a_document_that_is_no_export_any_more_is_refused_with_the_place(entry, reason):
    with pytest.raises(ImportRefused, match=reason):
        read_back(json.dumps({"packages": [entry]}).encode(), "packages.json")


@pytest.mark.parametrize("data", [b"deal_id,deal_name\n1,a\n2,b\n", b"package_id,package_name\npkg-1,a\n"])
def test_another_table_is_refused_with_the_columns_it_lacks(data):
    with pytest.raises(ImportRefused, match=r"lacks the columns .*: choose an exported packages_deals\.csv"):
        read_back(data, "other.csv", read_table)


def test_a_workbook_edited_in_another_program_gives_its_differences():
    book = openpyxl.load_workbook(io.BytesIO(workbook_xlsx(made(), ABOUT)))
    book["deals"]["B2"] = "New"
    stream = io.BytesIO()
    book.save(stream)
    assert commands(stream.getvalue(), name="packages.xlsx") == [edited("pkg-1", Rename("New"))]


def test_a_new_package_of_unknown_deals_only_is_refused():
    table = [*rows(), {**rows()[0], "package_id": "", "package_name": "Third", "deal_id": "invented"}]
    assert [item.kind for item in differences(written(table))] == ["refused"]


def test_one_deal_alone_comes_back():
    single = sheet_of_deals(Deal("0042"))
    data = packages_deals_csv([single])
    assert diff(read_back(data, "a.csv", read_table), [single.package], DEALS) == ()


# --- accepting ----------------------------------------------------------------------------------


def accept_first(returned, packages):
    """Accept the first difference; return the file as it is then, and the packages."""
    first = diff(returned, packages, DEALS)[0]
    review, changes = perform(Review(tuple(packages)), first.command, DEALS, "Ada", CheckRules.now())
    return with_accepted(returned, first, changes), review.packages


def accept_all(entries, packages=BOTH):
    """Accept one difference after the other; return the packages, and how many differences there were."""
    returned = read_back(json.dumps({"packages": entries}).encode(), "packages.json")
    for count in range(10):
        found = diff(returned, packages, DEALS)
        assert not [item for item in found if item.since_changed]
        if not found:
            return packages, count
        returned, packages = accept_first(returned, packages)
    raise AssertionError(found)


def entries():
    return json.loads(packages_json(made(), ABOUT))["packages"]


def test_what_was_accepted_is_no_difference_and_the_rest_is_not_stale():
    one, two = entries()
    one |= {"package_name": "Other", "reasoning": "Other.", "deal_ids": ["13", "14"]}
    (after, same), count = accept_all([one, two])
    assert count == 4
    assert (after.name, after.reasoning, after.deal_ids) == ("Other", "Other.", ("13", "14"))
    assert same == TWO


def test_a_new_package_is_made_once():
    new = {"package_name": "New", "deal_ids": ["13", "14"], "reasoning": "Why."}
    packages, count = accept_all([*entries(), new, new | {"package_name": "New too"}])
    assert count == 2
    assert [package.name for package in packages[2:]] == ["New", "New too"]


def test_a_package_without_deals_is_rejected_once():
    one, two = entries()
    packages, count = accept_all([one | {"deal_ids": []}, two])
    assert count == 1
    assert packages[0].status == "rejected"


def test_a_missing_package_is_rejected_once():
    packages, count = accept_all(entries()[1:])
    assert count == 1
    assert packages[0].status == "rejected"


def test_counts_in_a_reasoning_follow_accepted_deals_and_are_no_difference():
    counting = replace(ONE, reasoning=counted_reasoning([DEALS[deal_id] for deal_id in ONE.deal_ids]))
    one, two = entries()
    edited_entry = one | {"deal_ids": ["0042", "13", "14"], "reasoning": counting.reasoning}
    (after, _), count = accept_all([edited_entry, two], (counting, TWO))
    assert count == 1
    assert after.reasoning != counting.reasoning

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geminate.errors import PromptError, UsageError
from geminate.formats.options import PromptOptions
from geminate.formats.prompts import open_prompts


def test_every_column_is_text_as_it_stands(put, rows):
    path = put("p.csv", "id,n\n001,1.50\n002,N/A\n")
    assert rows(path) == [{"id": "001", "n": "1.50"}, {"id": "002", "n": "N/A"}]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_an_empty_cell_is_null_and_a_quoted_one_is_empty(put, rows, line_end):
    path = put("p.csv", line_end.join(["a,b", '1,""', "", ",2"]))
    assert rows(path) == [{"a": "1", "b": ""}, {"a": None, "b": "2"}]


def test_cells_hold_line_ends_delimiters_and_quotes(put, rows):
    assert rows(put("p.csv", 'a,b\n"x\r\ny","1,2 ""q"""\n')) == [{"a": "x\r\ny", "b": '1,2 "q"'}]
    assert rows(put("p.tsv", 'a\tb\n"x\ty"\t1,2\n')) == [{"a": "x\ty", "b": "1,2"}]


def test_a_quote_inside_an_unquoted_cell_is_a_character(put, rows):
    path = put("p.csv", 'a,b\n5" pipe,"x\ny"\n')
    assert rows(path) == [{"a": '5" pipe', "b": "x\ny"}]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_no_part_of_the_first_name(put, rows, encoding):
    assert rows(put("p.csv", '"a",b\nü,2\n'.encode(encoding))) == [{"a": "ü", "b": "2"}]


def test_names_can_be_given_where_there_is_no_header(put, rows):
    path = put("p.csv", "1,2\n3,4\n")
    assert rows(path, PromptOptions(columns=("x", "y"))) == [{"x": "1", "y": "2"}, {"x": "3", "y": "4"}]


def test_a_header_alone_is_no_rows(put, rows):
    assert rows(put("p.csv", "a,b")) == []


@pytest.mark.parametrize(
    "content, place, reason",
    [
        ("", "", "is empty"),
        ("\n\n", "", "is empty"),
        (",\n1,2\n", "", "no names"),
        ("a,a\n1,2\n", "", "two columns are called 'a'"),
        ("a,b\n1,2\n3\n", ", row 2", "expected 2 columns, got 1"),
        ("a,b\n1,2\n\n3,4,5\n", ", row 2", "expected 2 columns, got 3"),
        ('a,b\n1,2\n3,"4\n5,6\n', ", line 3", "a quote is never closed"),
        ('a,b\n1,"2"x\n', ", line 2", "text follows a closing quote"),
        (b"a,b\n1,2\n3,\xe9\n", ", row 2", "not valid UTF-8"),
        (b"\xff\xfea\x00\n\x00\x00\xd8", "", "not valid text"),
    ],
)
def test_a_broken_file_is_named_with_its_place_and_reason(put, content, place, reason):
    path = put("p.csv", content)
    with pytest.raises(PromptError, match=reason) as caught:
        list(open_prompts(path).iter_record_batches())
    assert caught.value.where == f"{path}{place}"


def test_a_broken_row_is_numbered_through_all_blocks(put):
    path = put("p.csv", "a,b\n" + f"{'x' * 1000},1\n" * 3000 + "1\n")
    with pytest.raises(PromptError) as caught:
        list(open_prompts(path).iter_record_batches())
    assert caught.value.where == f"{path}, row 3001"


def test_a_cell_of_many_mebibytes_is_one_cell(put, rows):
    cell = 'line,\n""' * 400_000
    path = put("p.csv", f'a,b\n1,"{cell}"\n2,y\n')
    assert rows(path) == [{"a": "1", "b": cell.replace('""', '"')}, {"a": "2", "b": "y"}]


@pytest.mark.parametrize(
    "name, text, remedy",
    [
        ("p.csv", "key;word\n1;a\n", "separate its cells by commas, or rename the column if it is one"),
        ("p.csv", "key\tword\n1\ta\n", "read it as TSV (--input-format tsv), or rename the column if it is one"),
        ("p.tsv", "key,word\n1,a\n", "read it as CSV (--input-format csv), or rename the column if it is one"),
        ("p.tsv", "key;word\n1;a\n", "separate its cells by commas, or rename the column if it is one"),
    ],
)
def test_a_header_in_one_piece_that_another_delimiter_would_cut_is_refused(put, rows, name, text, remedy):
    path = put(name, text)
    with pytest.raises(PromptError, match="its header line is one column, 'key") as caught:
        rows(path)
    assert caught.value.remedy == remedy


def test_other_delimiters_may_stand_in_the_names_of_several_columns_and_in_given_ones(put, rows):
    assert rows(put("p.csv", "a;b,c\n1,2\n")) == [{"a;b": "1", "c": "2"}]
    assert rows(put("q.csv", "1;2\n"), options=PromptOptions(columns=("a;b",))) == [{"a;b": "1;2"}]


def test_columns_are_only_for_files_that_can_lack_a_header(put):
    with pytest.raises(UsageError, match="CSV and TSV"):
        open_prompts(put("p.jsonl", '{"a":1}\n'), options=PromptOptions(columns=("x",)))


# A file of any text as another writer makes it; that one knows no null, and ends rows with CR LF.
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=6)


@given(
    st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), max_size=5)),
    st.sampled_from([("csv", ","), ("tsv", "\t")]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_pythons_writer_writes_is_read_back(tmp_path_factory, table, kind, quoting):
    suffix, delimiter = kind
    names = [f"c{number}" for number in range(len(table[0]))] if table else ["c0", "c1"]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows([names, *table])
    path = tmp_path_factory.mktemp("csv") / f"p.{suffix}"
    path.write_text(text.getvalue(), "utf-8", newline="")
    read = [list(row.values()) for b in open_prompts(path).iter_record_batches() for row in b.to_pylist()]
    assert read == table

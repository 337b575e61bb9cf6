"""Metal source is understood: comments, brackets, signatures, declarations. Mutants are what they say."""

from .mutate import with_loose_bounds, without_barriers
from .source import (
    Parameter,
    find_function,
    line_of,
    parse_parameters,
    share_declarations,
    split_arguments,
    static_declarations,
    strip_comments,
)


def test_comments_go_and_lines_stay() -> None:
    text = "a; // one { two\nb; /* three\nfour */ c;\n"
    assert strip_comments(text) == "a; \nb; \n c;\n"


def test_arguments_are_split_outside_of_brackets_only() -> None:
    assert split_arguments("a, f(b, c), d<e, f>, g[h, i]") == ["a", " f(b, c)", " d<e, f>", " g[h, i]"]


def test_a_function_is_found_with_its_parameters_and_body() -> None:
    text = "void other() { }\nvoid name(int a [[buffer(0)]]) { if (a) { b; } }\nvoid last() {}"
    function = find_function(text, "name")
    assert function.parameters == "int a [[buffer(0)]]"
    assert text[function.body_start : function.body_end] == " if (a) { b; } "


def test_parameters_are_buffers_references_and_attributes() -> None:
    text = """
        const device T* x [[buffer(0)]],
        const constant int& n [[buffer(3), function_constant(has_n)]],
        uint3 p [[thread_position_in_grid]]"""
    assert list(parse_parameters(text)) == [
        Parameter("buffer", 0),
        Parameter("buffer", 3, by_reference=True),
        Parameter("thread_position_in_grid"),
    ]


def test_threadgroup_memory_is_shared_and_nothing_else() -> None:
    text = "threadgroup float a[N * 2][3], b;\nthreadgroup T* p = a;\nvoid f(threadgroup T* q, int n);"
    shared = share_declarations(text)
    assert shared.count("metal_host::shared") == 2
    assert "typedef float a_shared_type[N * 2][3]; static char a_shared_key;" in shared
    assert shared.split("\n")[1:] == text.split("\n")[1:]
    assert static_declarations(text).startswith("static threadgroup float a[N * 2][3], b;\n")


def test_lines_are_counted_from_a_line_directive() -> None:
    text = '#line 1 "a"\nx\n#line 7 "b"\ny\nz\n'
    assert [line_of(text, text.index(letter)) for letter in "xyz"] == [1, 7, 8]
    assert line_of("x\ny", 2) == 2


def test_mutants_lack_one_barrier_each() -> None:
    text = "a;\nthreadgroup_barrier(flags(1));  // threadgroup_barrier(x);\nsimdgroup_barrier(f);\n"
    first, second = without_barriers(text)
    assert first.source == "a;\n(void)0;  \nsimdgroup_barrier(f);\n"
    assert second.source == "a;\nthreadgroup_barrier(flags(1));  \n(void)0;\n"
    assert (first.line, second.line) == (2, 3)


def test_mutants_let_one_more_through_each() -> None:
    text = "for (int i = 0; i < min(n, f<int>(4)); i++) if (i >= k || i > l || i <= m) return;"
    assert [mutant.source for mutant in with_loose_bounds(text)] == [
        text.replace("i < ", "i <= "),
        text.replace("i >= k", "i > k"),
        text.replace("i > l", "i > 1 + l"),
        text.replace("i <= m", "i <= 1 + m"),
        text.replace("min(n, f<int>(4))", "(1 + min(n, f<int>(4)))"),
    ]

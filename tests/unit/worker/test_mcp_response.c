/* Documents, batches and streams, whole and cut at every byte: what is shown, and what goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/mcp_response.h"

#include <errno.h>
#include <stdlib.h>

struct outcome {
    struct buffer shown; /* every message, in angle brackets */
    struct buffer out;
    size_t room; /* of `out`: then it takes no more */
};

/* Messages that hold "drop", "swap" or "fail" are. */
static enum mcp_verdict look(void *context, struct slice text, struct buffer *out)
{
    struct outcome *outcome = context;

    assert_int_equal(buffer_size(out), 0);
    buffer_append_text(&outcome->shown, "<");
    buffer_append_slice(&outcome->shown, text);
    buffer_append_text(&outcome->shown, ">");
    if (memmem(text.data, text.size, "drop", 4) != NULL)
        return MCP_DROPPED;
    if (memmem(text.data, text.size, "fail", 4) != NULL)
        return MCP_FAILED;
    if (memmem(text.data, text.size, "swap", 4) == NULL)
        return MCP_PASSES;
    buffer_append_text(out, "{\n}");
    return MCP_REPLACED;
}

static bool put(void *context, struct slice bytes)
{
    struct outcome *outcome = context;

    assert_true(bytes.size > 0);
    if (bytes.size > outcome->room - buffer_size(&outcome->out))
        return false;
    buffer_append_slice(&outcome->out, bytes);
    return true;
}

static void assert_text(struct buffer *buffer, const char *expected)
{
    if (!slice_equal(buffer_slice(buffer), slice_from(expected)))
        print_error("%.*s\ninstead of\n%s\n", (int)buffer_size(buffer), buffer_data(buffer),
                    expected);
    assert_true(slice_equal(buffer_slice(buffer), slice_from(expected)));
    buffer_free(buffer);
}

static struct mcp_response response_of(struct outcome *outcome, size_t limit)
{
    *outcome = (struct outcome){.room = 4096};
    return (struct mcp_response){.limit = limit, .context = outcome, .look = look, .put = put};
}

static int stream(const char *text, size_t step, size_t limit, struct outcome *outcome)
{
    struct mcp_response response = response_of(outcome, limit);
    struct slice all = slice_from(text);
    int error = 0;

    for (size_t at = 0; at < all.size && error == 0; at += step) {
        size_t size = all.size - at < step ? all.size - at : step;
        char *piece = malloc(size);

        assert_non_null(piece);
        memcpy(piece, all.data + at, size);
        error = mcp_response_events(&response, slice_make(piece, size));
        free(piece);
    }
    if (error == 0)
        error = mcp_response_events_end(&response);
    mcp_response_free(&response);
    assert_int_equal(mcp_response_held(&response), 0);
    return error;
}

static void assert_stream(const char *text, const char *shown, const char *out)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        struct outcome outcome;

        assert_int_equal(stream(text, step, 4096, &outcome), 0);
        assert_text(&outcome.shown, shown);
        assert_text(&outcome.out, out);
    }
}

static void test_stream(void **state)
{
    (void)state;
    assert_stream(": hi\n\nid: 1\ndata:\n\ndata: {}\n\nevent: x\ndata: {\ndata: }\n\n",
                  "<{}><{\n}>",
                  ": hi\n\nid: 1\ndata:\n\ndata: {}\n\nevent: x\ndata: {\ndata: }\n\n");
    assert_stream("data: a\n\nid: 4\ndata: swap\nretry: 1\n\ndata: b\n\n", "<a><swap><b>",
                  "data: a\n\nid: 4\ndata: {\ndata: }\nretry: 1\n\ndata: b\n\n");
    assert_stream("data: a\n\nid: 4\ndata: drop\n\n: c\n\n", "<a><drop>", "data: a\n\n: c\n\n");
    /* What is unfinished is shown, too. */
    assert_stream("data: a\n\ndata: drop", "<a><drop>", "data: a\n\n");
    assert_stream("data: a\n\ndata: b\n", "<a><b>", "data: a\n\ndata: b\n");
    assert_stream("data: a\n\n\nid", "<a>", "data: a\n\n\nid");
}

/* What passes is put in as few pieces as it came in. */
static void test_stream_order(void **state)
{
    struct outcome outcome;

    (void)state;
    assert_int_equal(stream("data: a\n\ndata: swap\n\ndata: b\n\ndata: drop\n\ndata: c\n\n", 1000,
                            4096, &outcome),
                     0);
    assert_text(&outcome.out, "data: a\n\ndata: {\ndata: }\n\ndata: b\n\ndata: c\n\n");
    buffer_free(&outcome.shown);
}

static void test_stream_errors(void **state)
{
    struct mcp_response response;
    struct outcome outcome;

    (void)state;
    /* What came before an event that is too large went on. */
    for (size_t step = 1; step < 40; step++) {
        assert_int_equal(stream("data: a\n\ndata: b\n\ndata: 0123456789\n\n", step, 12, &outcome),
                         -EMSGSIZE);
        assert_text(&outcome.shown, "<a><b>");
        assert_text(&outcome.out, "data: a\n\ndata: b\n\n");
    }
    assert_int_equal(stream("data: a\n\ndata: fail\n\ndata: c\n\n", 100, 4096, &outcome), -ENOMEM);
    assert_text(&outcome.shown, "<a><fail>");
    assert_text(&outcome.out, "data: a\n\n");
    response = response_of(&outcome, 4096);
    outcome.room = 5;
    assert_int_equal(mcp_response_events(&response, slice_from("data: a\n\n")), -ECANCELED);
    buffer_free(&outcome.shown);
    mcp_response_free(&response);
}

static void assert_document(const char *text, const char *shown, enum mcp_verdict verdict,
                            const char *expected)
{
    for (size_t step = 1; step <= strlen(text); step++) {
        struct outcome outcome;
        struct mcp_response response = response_of(&outcome, 4096);
        struct slice body;

        for (size_t at = 0; at < strlen(text); at += step) {
            size_t size = strlen(text) - at < step ? strlen(text) - at : step;

            assert_int_equal(mcp_response_collect(&response, slice_make(text + at, size)), 0);
        }
        assert_int_equal(mcp_response_document(&response, &body), verdict);
        if (verdict == MCP_PASSES || verdict == MCP_REPLACED)
            assert_true(slice_equal(body, slice_from(expected)));
        assert_text(&outcome.shown, shown);
        mcp_response_free(&response);
    }
}

static void test_document(void **state)
{
    struct outcome outcome;
    struct mcp_response response = response_of(&outcome, 10);
    struct slice body;

    (void)state;
    assert_int_equal(mcp_response_document(&response, &body), MCP_PASSES);
    assert_int_equal(body.size, 0);
    assert_text(&outcome.shown, "");
    assert_document("{\"a\":1}", "<{\"a\":1}>", MCP_PASSES, "{\"a\":1}");
    assert_document(" \"swap\"\n", "< \"swap\"\n>", MCP_REPLACED, "{\n}");
    assert_document("drop", "<drop>", MCP_DROPPED, NULL);
    assert_document("fail", "<fail>", MCP_FAILED, NULL);
}

static void test_batch(void **state)
{
    (void)state;
    assert_document(" [ 1 , {\"b\":[2]} ] ", "<1><{\"b\":[2]}>", MCP_PASSES,
                    " [ 1 , {\"b\":[2]} ] ");
    assert_document("[1, \"swap\" ,\"drop\",4]", "<1><\"swap\"><\"drop\"><4>", MCP_REPLACED,
                    "[1, {\n},4]");
    assert_document("[\"drop\",\"swap\"]", "<\"drop\"><\"swap\">", MCP_REPLACED, "[{\n}]");
    assert_document("[\"drop\",\"drop1\"]", "<\"drop\"><\"drop1\">", MCP_DROPPED, NULL);
    assert_document("[\"fail\",1]", "<\"fail\">", MCP_FAILED, NULL);
    assert_document("[]", "", MCP_PASSES, "[]");
    /* What is no JSON is shown whole, whatever its parts were. */
    assert_document("[\"swap\",2", "<\"swap\"><2><[\"swap\",2>", MCP_REPLACED, "{\n}");
    assert_document("[1,2]x", "<1><2><[1,2]x>", MCP_PASSES, "[1,2]x");
    assert_stream("data: [1,\ndata: \"drop\"]\n\ndata: [\"drop\"]\n\n", "<1><\"drop\"><\"drop\">",
                  "data: [1]\n\n");
}

static void test_document_limit(void **state)
{
    struct outcome outcome;
    struct mcp_response response = response_of(&outcome, 4);

    (void)state;
    assert_int_equal(mcp_response_collect(&response, slice_from("1234")), 0);
    assert_true(mcp_response_held(&response) >= 4);
    assert_int_equal(mcp_response_collect(&response, slice_from("5")), -EMSGSIZE);
    mcp_response_free(&response);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream),        cmocka_unit_test(test_stream_order),
        cmocka_unit_test(test_stream_errors), cmocka_unit_test(test_document),
        cmocka_unit_test(test_batch),         cmocka_unit_test(test_document_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

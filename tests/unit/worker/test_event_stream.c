/* Streams of events, whole and cut at every byte, must mean the same, and come out as they went in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/event_stream.h"

#include <errno.h>
#include <stdlib.h>

/* What came out: each event's data in angle brackets, or "-" for none; and all bytes. */
struct outcome {
    struct buffer told;
    struct buffer bytes;
    int error;
};

static void note(struct outcome *out, const struct event *event)
{
    if (event->has_data) {
        buffer_append_text(&out->told, "<");
        buffer_append_slice(&out->told, event->data);
        buffer_append_text(&out->told, ">");
    } else {
        buffer_append_text(&out->told, "-");
    }
    buffer_append_slice(&out->bytes, event->bytes);
}

/* Feeds `text` in pieces of `first`, then `step` bytes, each from memory of its own so that a
 * sanitizer sees reads past it. */
static void feed(struct slice text, size_t first, size_t step, size_t limit, struct outcome *out)
{
    struct event_stream stream = {.limit = limit};
    struct event event;
    int next = 0;

    *out = (struct outcome){0};
    for (size_t at = 0; at < text.size && next == 0;) {
        size_t size = at == 0 ? first : step;
        struct slice input;
        char *piece;

        size = size < text.size - at ? size : text.size - at;
        piece = malloc(size);
        assert_non_null(piece);
        memcpy(piece, text.data + at, size);
        input = slice_make(piece, size);
        while ((next = event_stream_next(&stream, &input, &event)) == 1)
            note(out, &event);
        free(piece);
        at += size;
    }
    if (next == 0 && event_stream_end(&stream, &event) == 1) {
        /* Of the CRLF that ends the last event, the LF came apart. */
        if (slice_is(event.bytes, "\n") && text.size > 1 && text.data[text.size - 2] == '\r') {
            buffer_append_text(&out->bytes, "\n");
        } else {
            buffer_append_text(&out->told, "|");
            note(out, &event);
        }
    }
    out->error = next;
    event_stream_free(&stream);
    assert_int_equal(event_stream_held(&stream), 0);
}

static void outcome_free(struct outcome *outcome)
{
    buffer_free(&outcome->told);
    buffer_free(&outcome->bytes);
}

static void assert_told(const struct outcome *outcome, struct slice text, const char *told)
{
    assert_int_equal(outcome->error, 0);
    if (!slice_equal(buffer_slice(&outcome->told), slice_from(told)))
        print_error("%.*s instead of %s\n", (int)buffer_size(&outcome->told),
                    buffer_data(&outcome->told), told);
    assert_true(slice_equal(buffer_slice(&outcome->told), slice_from(told)));
    assert_true(slice_equal(buffer_slice(&outcome->bytes), text));
}

static void assert_events(const char *text, const char *told)
{
    struct slice all = slice_from(text);

    for (size_t step = 1; step <= all.size; step++) {
        struct outcome outcome;

        feed(all, step, step, 4096, &outcome);
        assert_told(&outcome, all, told);
        outcome_free(&outcome);
        feed(all, step, all.size, 4096, &outcome);
        assert_told(&outcome, all, told);
        outcome_free(&outcome);
    }
}

static void test_line_ends(void **state)
{
    (void)state;
    assert_events("data: a\n\ndata: b\n\n", "<a><b>");
    assert_events("data: a\r\n\r\ndata: b\r\n\r\n", "<a><b>");
    assert_events("data: a\r\rdata: b\r\rdata: c\r\r", "<a><b><c>");
    assert_events("data: a\r\n\ndata: b\n\r\ndata: c\r\n", "<a><b>|<c>");
}

/* A LF that follows a CR belongs to it even when they come apart: no event of its own. */
static void test_split_line_end(void **state)
{
    struct outcome outcome;
    struct slice text = slice_from("data: a\r\n\r\ndata: b\n\n");

    (void)state;
    feed(text, 10, 100, 4096, &outcome);
    assert_told(&outcome, text, "<a><b>");
    outcome_free(&outcome);
    text = slice_from("data: a\r\n\r\n");
    feed(text, text.size - 1, 100, 4096, &outcome);
    assert_told(&outcome, text, "<a>");
    outcome_free(&outcome);
}

static void test_fields(void **state)
{
    (void)state;
    assert_events("id: 1\nevent: message\ndata: x\nretry: 5\n\n", "<x>");
    assert_events(": a comment\n\n", "-");
    assert_events("\n\n\n", "---");
    assert_events("id: 7\ndata:\n\n", "<>");
    assert_events("data\n\n", "<>");
    assert_events("data:x\n\ndata:  y\n\n", "<x>< y>");
    assert_events("Data: x\ndatum: y\ndata2: z\n data: a\n\n", "-");
    assert_events("data: a:b: c\n\n", "<a:b: c>");
}

static void test_joined(void **state)
{
    (void)state;
    assert_events("data: {\ndata:  1\ndata: }\n\n", "<{\n 1\n}>");
    assert_events("data: a\r\nid: 3\r\ndata\r\ndata: b\r\n\r\ndata: c\r\n", "<a\n\nb>|<c>");
}

static void test_byte_order_mark(void **state)
{
    (void)state;
    assert_events("\xef\xbb\xbf"
                  "data: a\n\ndata: b\n\n",
                  "<a><b>");
    assert_events("\xef\xbb\xbf\n\ndata: b\n\n", "--<b>");
    assert_events("\xef\xbb"
                  "data: a\n\n",
                  "-");
    /* Only at the begin. */
    assert_events("data: a\n\n\xef\xbb\xbf"
                  "data: b\n\n",
                  "<a>-");
}

static void test_unfinished(void **state)
{
    (void)state;
    assert_events("data: a\n\ndata: b", "<a>|<b>");
    assert_events("data: a\n\ndata: b\n", "<a>|<b>");
    assert_events("data: a\n\nid: 3", "<a>|-");
    assert_events("da", "|-");
}

static void test_limit(void **state)
{
    struct outcome outcome;
    struct slice text = slice_from("data: 4567\n\ndata: 45678\n\n");

    (void)state;
    for (size_t step = 1; step <= text.size; step++) {
        feed(text, step, step, 12, &outcome);
        assert_int_equal(outcome.error, -EMSGSIZE);
        assert_true(slice_equal(buffer_slice(&outcome.told), slice_from("<4567>")));
        outcome_free(&outcome);
    }
    feed(text, text.size, 1, 13, &outcome);
    assert_told(&outcome, text, "<4567><45678>");
    outcome_free(&outcome);
}

static void test_whole_is_not_copied(void **state)
{
    struct event_stream stream = {.limit = 100};
    const char *text = "data: a\n\ndata: b\n\n";
    struct slice input = slice_from(text);
    struct event event;

    (void)state;
    assert_int_equal(event_stream_next(&stream, &input, &event), 1);
    assert_ptr_equal(event.bytes.data, text);
    assert_ptr_equal(event.data.data, text + 6);
    assert_int_equal(event_stream_next(&stream, &input, &event), 1);
    assert_ptr_equal(event.bytes.data, text + 9);
    assert_int_equal(event_stream_next(&stream, &input, &event), 0);
    assert_int_equal(event_stream_held(&stream), 0);
    event_stream_free(&stream);
}

static void assert_replaced(const char *text, const char *data, const char *expected)
{
    struct slice all = slice_from(text);

    for (size_t step = 1; step <= all.size; step++) {
        struct event_stream stream = {.limit = 4096};
        struct buffer out = {0};
        struct event event;
        int next = 0;

        for (size_t at = 0; at < all.size && next == 0; at += step) {
            struct slice input =
                slice_make(all.data + at, at + step < all.size ? step : all.size - at);

            next = event_stream_next(&stream, &input, &event);
        }
        assert_int_equal(next, 1);
        assert_int_equal(event_replace(&out, &event, slice_from(data)), 0);
        /* Of a CRLF that ends the event, the LF may be still to come. */
        assert_true(event.bytes.size + (text[all.size - 2] == '\r') >= all.size);
        assert_true(
            slice_equal(buffer_slice(&out),
                        slice_make(expected, strlen(expected) - (all.size - event.bytes.size))));
        buffer_free(&out);
        event_stream_free(&stream);
    }
}

static void test_replace(void **state)
{
    (void)state;
    assert_replaced("id: 1\ndata: old\nevent: message\n\n", "new",
                    "id: 1\ndata: new\nevent: message\n\n");
    assert_replaced("data: a\r\nid: 1\r\ndata: b\r\n: c\r\n\r\n", "new",
                    "data: new\r\nid: 1\r\n: c\r\n\r\n");
    assert_replaced("data: a\r\r", "{\n\"x\":\n1}", "data: {\rdata: \"x\":\rdata: 1}\r\r");
    assert_replaced("\xef\xbb\xbf"
                    "data:a\n\n",
                    "new",
                    "\xef\xbb\xbf"
                    "data: new\n\n");
    assert_replaced("data: a\n\n", "", "data: \n\n");
    assert_replaced("data: a\n\n", "b\n", "data: b\ndata: \n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_ends),       cmocka_unit_test(test_split_line_end),
        cmocka_unit_test(test_fields),          cmocka_unit_test(test_joined),
        cmocka_unit_test(test_byte_order_mark), cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_limit),           cmocka_unit_test(test_whole_is_not_copied),
        cmocka_unit_test(test_replace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

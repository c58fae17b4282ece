#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/child.h"
#include "shared/json.h"
#include "worker/page.h"

#include <stdlib.h>

static bool holds(const struct buffer *page, const char *text)
{
    return memmem(buffer_data(page), buffer_size(page), text, strlen(text)) != NULL;
}

static struct scoreboard_work *work_make(void)
{
    struct scoreboard_work *work = NULL;

    assert_int_equal(0, posix_memalign((void **)&work, 64, sizeof(*work)));
    memset(work, 0, sizeof(*work));
    return work;
}

static void metrics_sum_blocks_and_count_roles(void **state)
{
    struct scoreboard_public public = {.generation = 42};
    struct scoreboard_work *work = work_make();
    struct buffer page = {0};

    (void)state;
    work->totals.counters[COUNT_REQUESTS] = 3;
    for (int i = 0; i < 2; i++) {
        work->blocks[i].pid = 100 + i;
        work->blocks[i].role = ROLE_WORKER;
        work->blocks[i].ready = 1;
        work->blocks[i].counters[COUNT_REQUESTS] = 2;
        work->blocks[i].gauges[GAUGE_STREAMS] = 1;
    }
    work->blocks[2].pid = 103;
    work->blocks[2].role = 12345; /* not to be trusted */
    work->blocks[2].ready = 1;
    assert_int_equal(0, page_metrics(&page, &public, work));
    assert_true(holds(&page, "# TYPE gatehouse_requests_total counter\n"
                             "gatehouse_requests_total 7\n"));
    assert_true(holds(&page, "# TYPE gatehouse_streams gauge\ngatehouse_streams 2\n"));
    assert_true(holds(&page, "\ngatehouse_config_generation 42\n"));
    assert_true(holds(&page, "\ngatehouse_processes{role=\"worker\"} 2\n"));
    assert_true(holds(&page, "\ngatehouse_processes{role=\"watcher\"} 0\n"));
    assert_false(holds(&page, "(null)"));
    buffer_free(&page);
    free(work);
}

static void metrics_of_stdio_servers_are_by_app(void **state)
{
    struct scoreboard_public public = {.generation = 1};
    struct scoreboard_work *work = work_make();
    struct buffer page = {0};
    struct server_board_entry *entry = server_board_take(&work->servers, slice_from("one"));

    (void)state;
    entry->servers = 2;
    entry->starts = 5;
    entry->failures = 1;
    work->blocks[0].pid = 100;
    work->blocks[0].role = ROLE_BRIDGE;
    work->blocks[0].ready = 1;
    work->blocks[0].gauges[GAUGE_BRIDGE_LINES] = 7;
    assert_int_equal(0, page_metrics(&page, &public, work));
    assert_true(holds(&page, "# TYPE gatehouse_stdio_servers gauge\n"
                             "gatehouse_stdio_servers{app=\"one\"} 2\n"));
    assert_true(holds(&page, "\ngatehouse_stdio_starts_total{app=\"one\"} 5\n"));
    assert_true(holds(&page, "\ngatehouse_stdio_deaths_total{app=\"one\"} 0\n"));
    assert_true(holds(&page, "\ngatehouse_stdio_failures_total{app=\"one\"} 1\n"));
    assert_true(holds(&page, "\ngatehouse_bridge_queued_lines 7\n"));
    buffer_clear(&page);
    work->blocks[0].pid = 0; /* it died: so did they */
    assert_int_equal(0, page_metrics(&page, &public, work));
    assert_true(holds(&page, "\ngatehouse_stdio_servers{app=\"one\"} 0\n"));
    assert_true(holds(&page, "\ngatehouse_stdio_starts_total{app=\"one\"} 5\n"));
    buffer_free(&page);
    free(work);
}

/* Every line is a comment or `name[{labels}] number`, each metric with its HELP and TYPE first. */
static void metrics_have_the_exposition_format(void **state)
{
    struct scoreboard_public public = {0};
    struct scoreboard_work *work = work_make();
    struct buffer page = {0};
    char *line;
    int metrics = 0;

    (void)state;
    assert_int_equal(0, page_metrics(&page, &public, work));
    assert_int_equal(0, buffer_append(&page, "", 1));
    line = strtok(buffer_data(&page), "\n");
    while (line != NULL) {
        if (strncmp(line, "# HELP gatehouse_", 17) == 0) {
            line = strtok(NULL, "\n");
            assert_non_null(line);
            assert_int_equal(0, strncmp(line, "# TYPE gatehouse_", 17));
            metrics++;
        } else {
            assert_int_equal(0, strncmp(line, "gatehouse_", 10));
            assert_non_null(strchr(line, ' '));
        }
        line = strtok(NULL, "\n");
    }
    assert_int_equal(COUNTERS + GAUGES + 3, metrics);
    buffer_free(&page);
    free(work);
}

static void ready_needs_a_generation_and_a_worker(void **state)
{
    struct scoreboard_public public = {0};
    struct scoreboard_work *work = work_make();
    struct buffer page = {0};

    (void)state;
    assert_false(page_ready(&page, &public, work));
    public.generation = 1;
    assert_false(page_ready(&page, &public, work));
    work->blocks[5].pid = 7;
    work->blocks[5].role = ROLE_WORKER;
    assert_false(page_ready(&page, &public, work));
    work->blocks[5].ready = 1;
    buffer_clear(&page);
    assert_true(page_ready(&page, &public, work));
    assert_true(slice_is(buffer_slice(&page), "ok\n"));
    buffer_free(&page);
    free(work);
}

static const char head[] = "GET /a?b=<script> HTTP/1.1\r\nHost: app.test\r\n"
                           "X-Odd: \"<b>'&\xe9\r\nEmpty:\r\n\r\n";

static struct session_record session_of(void)
{
    return (struct session_record){.user = slice_from("<ann>&co"),
                                   .issuer = slice_from("https://idp.test"),
                                   .expires = 1800000000};
}

static void debug_page_escapes_everything(void **state)
{
    struct http_request request = {0};
    struct session_record session = session_of();
    struct buffer page = {0};
    const char *media_type = NULL;

    (void)state;
    assert_int_equal(0, page_debug(&page, slice_from(head), &session, &request, &media_type));
    assert_string_equal("text/html; charset=utf-8", media_type);
    assert_true(holds(&page, "GET /a?b=&lt;script&gt; HTTP/1.1"));
    assert_true(holds(&page, "<tr><th>X-Odd</th><td>&quot;&lt;b&gt;&#39;&amp;\\xe9</td></tr>"));
    assert_true(holds(&page, "<tr><th>Empty</th><td></td></tr>"));
    assert_true(holds(&page, "&lt;ann&gt;&amp;co"));
    assert_true(holds(&page, "2027-01-15T08:00:00Z"));
    assert_false(holds(&page, "<script"));
    assert_false(holds(&page, "<ann>"));
    buffer_clear(&page);
    assert_int_equal(0, page_debug(&page, slice_from(head), NULL, &request, &media_type));
    assert_false(holds(&page, "Caller"));
    buffer_free(&page);
}

static void debug_page_is_json_when_asked(void **state)
{
    static const char *const names[] = {"user", "issuer", "expires", "request", "headers"};
    struct http_request request = {0};
    struct session_record session = session_of();
    struct json_value value, members[5];
    struct buffer page = {0};
    const char *media_type = NULL;
    const char *reason = NULL;

    (void)state;
    request.header_count = 1;
    request.headers[0] = (struct http_header){HTTP_ACCEPT, slice_from("Accept"),
                                              slice_from("application/json, text/event-stream")};
    for (int pass = 0; pass < 2; pass++) {
        buffer_clear(&page);
        assert_int_equal(0, page_debug(&page, slice_from(pass == 0 ? head : "GET / HTTP/1.1\r\n"),
                                       &session, &request, &media_type));
        assert_string_equal("application/json", media_type);
        assert_int_equal(0, json_parse(buffer_slice(&page), &value, &reason));
        assert_int_equal(0, json_members(&value, names, 5, members));
        assert_true(json_string_is(&members[0], slice_from("<ann>&co")));
        assert_int_equal(JSON_ARRAY, members[4].kind);
    }
    assert_true(json_string_is(&members[3], slice_from("GET / HTTP/1.1")));
    request.headers[0].value = slice_from("text/html,application/json");
    assert_int_equal(0, page_debug(&page, slice_from(head), &session, &request, &media_type));
    assert_string_equal("text/html; charset=utf-8", media_type);
    buffer_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_sum_blocks_and_count_roles),
        cmocka_unit_test(metrics_of_stdio_servers_are_by_app),
        cmocka_unit_test(metrics_have_the_exposition_format),
        cmocka_unit_test(ready_needs_a_generation_and_a_worker),
        cmocka_unit_test(debug_page_escapes_everything),
        cmocka_unit_test(debug_page_is_json_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which endpoint a command names, and that its word holds through changes of the app and restarts.
 */
#include "conf/drainer.h"

#include "publisher_fixture.h"

#define SEVERAL(more)                                                                    \
    "---\nversion: v1\nkind: app\nmetadata: {name: wiki" more "}\nspec:\n  endpoints:\n" \
    "  - mcp+http://localhost:3001/mcp\n  - mcp+http://localhost:3002/a\n"               \
    "  - mcp+http://localhost:3002/b\n  - mcp+http://[::1]:3001/mcp\n"                   \
    "  - mcp+https://Big.example.com\n"

static int drain(struct fixture *fixture, const char *app, const char *endpoint, bool undo,
                 struct control_answer *answer)
{
    struct control_drain request = {
        .app = slice_from(app), .endpoint = slice_from(endpoint), .undo = undo};

    return drainer_set(&fixture->publisher, &request, 1000, answer);
}

/* The endpoints that drain, as bits; as a worker reads them. */
static unsigned draining(struct fixture *fixture, uint8_t by)
{
    struct app_record app;
    unsigned bits = 0;

    assert_true(look_app(fixture, "wiki", &app));
    for (size_t i = 0; i < app.endpoint_count; i++)
        bits |= (unsigned)((app.endpoints[i].draining & by) != 0) << i;
    return bits;
}

static void test_finds_the_endpoint(void **state)
{
    static const struct {
        const char *text;
        int status; /* of the answer */
        unsigned bits;
    } cases[] = {
        {"localhost:3001", 0, 1},
        {"mcp+http://localhost:3001/mcp", 0, 1},
        {"mcp+http://LOCALHOST:3001/mcp", 0, 1},
        {"http://localhost:3001/mcp", 0, 1},
        {"mcp+https://localhost:3001/mcp", -ENOENT, 0},
        {"mcp+http://localhost:3001/", -ENOENT, 0},
        {"localhost:3002", -EINVAL, 0}, /* two of them */
        {"mcp+http://localhost:3002/b", 0, 4},
        {"[::1]:3001", 0, 8},
        {"::1:3001", -ENOENT, 0},
        {"big.example.com:443", 0, 16},
        {"mcp+https://big.example.com/", 0, 16},
        {"localhost", -ENOENT, 0},
        {"", -ENOENT, 0},
    };
    struct fixture *fixture = *state;
    struct control_answer answer;

    assert_int_equal(apply(fixture, SEVERAL(""), NULL), 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int changed = drain(fixture, "wiki", cases[i].text, false, &answer);

        if (changed != (cases[i].status == 0) || answer.status != cases[i].status)
            fail_msg("%s: %d, %d", cases[i].text, changed, answer.status);
        assert_int_equal(draining(fixture, APP_DRAIN_COMMAND), cases[i].bits);
        assert_int_equal(cases[i].status == 0, answer.text.size == 0);
        assert_int_equal(drain(fixture, "wiki", cases[i].text, true, &answer), changed);
        assert_int_equal(draining(fixture, APP_DRAIN_COMMAND), 0);
    }
    assert_int_equal(drain(fixture, "unknown", "localhost:3001", false, &answer), 0);
    assert_int_equal(answer.status, -ENOENT);
}

static void test_saying_it_twice_is_no_change(void **state)
{
    struct fixture *fixture = *state;
    struct control_answer answer;
    uint64_t generation;

    assert_int_equal(apply(fixture, SEVERAL(""), NULL), 1);
    assert_int_equal(drain(fixture, "wiki", "localhost:3001", false, &answer), 1);
    generation = stored_generation(fixture);
    assert_int_equal(drain(fixture, "wiki", "localhost:3001", false, &answer), 0);
    assert_int_equal(answer.status, 0);
    assert_int_equal(stored_generation(fixture), generation);
}

static void test_holds_until_it_is_undone(void **state)
{
    struct fixture *fixture = *state;
    struct control_answer answer;

    assert_int_equal(apply(fixture, SEVERAL(""), NULL), 1);
    assert_int_equal(drain(fixture, "wiki", "mcp+http://localhost:3002/b", false, &answer), 1);
    /* Another version that has the endpoint. */
    assert_int_equal(apply(fixture, SEVERAL(", description: new"), NULL), 1);
    assert_int_equal(draining(fixture, APP_DRAIN_COMMAND), 4);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(draining(fixture, APP_DRAIN_COMMAND), 4);
    assert_int_equal(apply(fixture, SEVERAL(", description: new"), NULL), 0);
    assert_int_equal(drain(fixture, "wiki", "mcp+http://localhost:3002/b", true, &answer), 1);
    assert_int_equal(draining(fixture, APP_DRAIN_COMMAND), 0);
}

/* What a document says stays, whatever commands say. */
static void test_documents_say_it_on_their_own(void **state)
{
    static const char text[] =
        "---\nversion: v1\nkind: app\nmetadata: {name: wiki}\nspec:\n  endpoints:\n"
        "  - mcp+http://localhost:3001/mcp\n"
        "  - {uri: \"mcp+http://localhost:3002/mcp\", state: drain}\n";
    struct fixture *fixture = *state;
    struct control_answer answer;

    assert_int_equal(apply(fixture, text, NULL), 1);
    assert_int_equal(draining(fixture, APP_DRAIN_DOCUMENT), 2);
    assert_int_equal(drain(fixture, "wiki", "localhost:3002", false, &answer), 1);
    assert_int_equal(drain(fixture, "wiki", "localhost:3002", true, &answer), 1);
    assert_int_equal(draining(fixture, APP_DRAIN_DOCUMENT), 2);
    assert_int_equal(draining(fixture, APP_DRAIN_COMMAND), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_finds_the_endpoint),
        TEST(test_saying_it_twice_is_no_change),
        TEST(test_holds_until_it_is_undone),
        TEST(test_documents_say_it_on_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

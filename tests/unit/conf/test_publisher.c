#include "publisher_fixture.h"

static void test_first_publication(void **state)
{
    struct fixture *fixture = *state;
    struct auth_config_record config;
    struct binding_record binding;
    struct app_record app;

    fixture->addresses[0] = "127.0.0.1";
    assert_int_equal(apply(fixture, APP("one", "a"),
                           CONFIG("idp", "a", "https://i", "x-{{app.resource}}", STATIC_A)),
                     1);
    assert_int_equal(fixture->publisher.numbers.generation, fixture->first + 1);
    assert_int_equal(atomic_load(&fixture->public.generation), fixture->first + 1);
    assert_true(look_app(fixture, "one", &app));
    assert_int_equal(app.endpoint_count, 1);
    assert_int_equal(app.endpoints[0].address_count, 1);
    assert_true(look_binding(fixture, "one", "https://i", &binding));
    assert_true(look_config(fixture, "idp", &config));
    assert_int_equal(config.audience_count, 1);
    assert_true(slice_is(config.audiences[0], "x-" GATE "/mcp/apps/{{app}}"));
    assert_true(config.keys_static && config.keys_usable && config.last_fetch_ok);
    assert_int_not_equal(config.revision, 0);
    assert_true(look_key(fixture, "idp", "a"));
    assert_string_equal(refusal(fixture, DOCUMENT_APP, "one"), "");
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 1);
}

static void test_nothing_new_is_no_transaction(void **state)
{
    struct fixture *fixture = *state;
    const char *config = CONFIG("idp", "a", "https://i", "x", STATIC_A);

    assert_int_equal(apply(fixture, APP("one", "a"), config), 1);
    assert_int_equal(apply(fixture, APP("one", "a"), config), 0);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, APP("one", "a"), config), 0);
    assert_int_equal(fixture->publisher.numbers.generation, fixture->first + 1);
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), 1);
    assert_int_equal(counted(fixture, COUNT_PUBLISHED), 1);
}

/* Through the lock file a worker can have readers see the snapshot of before. */
static void test_an_older_store_than_was_seen_is_not_published(void **state)
{
    struct fixture *fixture = *state;
    uint64_t seen = fixture->first + 7;

    publisher_close(&fixture->publisher);
    atomic_store(&fixture->public.generation, seen);
    assert_int_equal(publisher_open(&fixture->publisher), -ESTALE);
    assert_int_equal(atomic_load(&fixture->public.generation), seen);
    assert_int_equal(stored_generation(fixture), fixture->first);
}

static void test_an_empty_start_has_a_generation(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(apply(fixture, NULL, NULL), 0);
    assert_int_equal(atomic_load(&fixture->public.generation), fixture->first);
}

static void test_refused_document_keeps_its_last_good(void **state)
{
    struct fixture *fixture = *state;
    const char *broken = CONFIG("idp", "a", "https://j", "x", STATIC_A "\n    isuer: https://k");
    uint64_t before;

    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "x", STATIC_A));
    before = revision(fixture, "idp");
    assert_int_equal(apply(fixture, APP("one", "a"), broken), 1);
    assert_non_null(strstr(refusal(fixture, DOCUMENT_AUTH_CONFIG, "idp"), "isuer"));
    assert_int_equal(apply(fixture, APP("one", "a"), broken), 0);
    assert_int_equal(counted(fixture, COUNT_DOCUMENTS_REFUSED), 1);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, APP("one", "a"), broken), 0);
    assert_string_equal(bound(fixture, "one", "https://i"), "idp");
    assert_int_equal(revision(fixture, "idp"), before);
    /* A new app is matched against the good version, which only the store remembers. */
    apply(fixture, APP("one", "a") APP("two", "a"), broken);
    assert_string_equal(bound(fixture, "two", "https://i"), "idp");
    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "x", STATIC_A));
    assert_string_equal(refusal(fixture, DOCUMENT_AUTH_CONFIG, "idp"), "");
    assert_int_equal(revision(fixture, "idp"), before);
}

static void test_refused_without_a_good_version(void **state)
{
    struct fixture *fixture = *state;

    apply(fixture, "version: v1\nkind: app\nmetadata: {name: one}\nspec: {uri: nonsense}\n", NULL);
    assert_string_not_equal(refusal(fixture, DOCUMENT_APP, "one"), "");
    assert_string_not_equal(refusal(fixture, DOCUMENT_APP, "one"), "none");
    apply(fixture, NULL, NULL);
    assert_string_equal(refusal(fixture, DOCUMENT_APP, "one"), "none");
}

static void test_unreadable_file_keeps_all_of_it(void **state)
{
    struct fixture *fixture = *state;
    const char *good = APP("one", "a") APP("two", "a");
    const char *broken = APP("one", "b") "---\nkind: [app\n";
    struct app_record app;

    apply(fixture, good, NULL);
    apply(fixture, broken, NULL);
    assert_true(look_app(fixture, "two", &app));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_UNKNOWN, "/r/1.yaml"), "YAML"));
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, broken, NULL), 0);
    assert_true(look_app(fixture, "two", &app));
    assert_int_equal(counted(fixture, COUNT_DOCUMENTS_REFUSED), 1);
    apply(fixture, APP("one", "b"), NULL);
    assert_false(look_app(fixture, "two", &app));
    assert_string_equal(refusal(fixture, DOCUMENT_UNKNOWN, "/r/1.yaml"), "none");
}

static void test_a_document_may_move_to_another_file(void **state)
{
    struct fixture *fixture = *state;
    struct app_record app;
    uint64_t matches;

    apply(fixture, APP("one", "a"), CONFIG("idp", "a", "https://i", "x", STATIC_A));
    matches = counted(fixture, COUNT_LABEL_MATCHES);
    apply(fixture, NULL, CONFIG("idp", "a", "https://i", "x", STATIC_A) APP("one", "a"));
    assert_int_equal(counted(fixture, COUNT_LABEL_MATCHES), matches);
    /* Its old file does not matter any more, its new one does. */
    apply(fixture, "kind: [", CONFIG("idp", "a", "https://i", "x", STATIC_A));
    assert_false(look_app(fixture, "one", &app));
}

static void test_settings_that_cannot_be_read_keep_their_apps(void **state)
{
    struct fixture *fixture = *state;
    struct reading reading = {0};
    struct app_record app;

    reading.settings.source = slice_from("/etc/gatehouse.yaml");
    documents_read_text(slice_from(APP("one", "a")), reading.settings.source,
                        &reading.settings.list, &reading.settings.diagnostics);
    assert_int_equal(publisher_apply(&fixture->publisher, &reading, fixture->gate), 1);
    document_list_free(&reading.settings.list);
    reading.settings.error = -EBADMSG;
    assert_int_equal(publisher_apply(&fixture->publisher, &reading, fixture->gate), 1);
    assert_true(look_app(fixture, "one", &app));
    assert_string_not_equal(refusal(fixture, DOCUMENT_UNKNOWN, "/etc/gatehouse.yaml"), "none");
    reading_free(&reading);
}

static void test_twice_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct app_record app;

    apply(fixture, APP("one", "a"), APP("one", "b"));
    assert_false(look_app(fixture, "one", &app));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "one"), "/r/1.yaml:2:1"));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "one"), "/r/2.yaml:2:1"));
    apply(fixture, APP("one", "a"), NULL);
    assert_true(look_app(fixture, "one", &app));
}

static void test_public_address_of_the_gate_fills_again(void **state)
{
    struct fixture *fixture = *state;
    const char *config = CONFIG("idp", "a", "https://i", "{{app.resource}}", STATIC_A);
    struct auth_config_record record;
    uint64_t before;

    apply(fixture, APP("one", "a"), config);
    before = revision(fixture, "idp");
    fixture->gate = slice_from("https://other.example.com");
    assert_int_equal(apply(fixture, APP("one", "a"), config), 1);
    assert_true(look_config(fixture, "idp", &record));
    assert_true(slice_is(record.audiences[0], "https://other.example.com/mcp/apps/{{app}}"));
    assert_int_equal(record.revision, before);
}

#define WEB(name, host)                                                                           \
    "---\nversion: v1\nkind: app\nmetadata: {name: " name "}\nspec: {uri: 'http://127.0.0.1:8', " \
    "public_addr: " host "}\n"

static bool host_is(struct fixture *fixture, const char *host, const char *app)
{
    struct store_key key;
    struct slice value;
    struct slice found;

    store_key_of(&key, slice_from(host));
    if (!look(fixture, STORE_HOSTS, &key, &value))
        return app == NULL;
    assert_int_equal(host_record_decode(value, &found), 0);
    return app != NULL && slice_is(found, app);
}

static void test_hosts(void **state)
{
    struct fixture *fixture = *state;

    apply(fixture, WEB("one", "a.example.com"), NULL);
    assert_true(host_is(fixture, "a.example.com", "one"));
    apply(fixture, WEB("one", "a.example.com"), WEB("two", "a.example.com"));
    assert_true(host_is(fixture, "a.example.com", "one"));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "two"), "\"one\" at /r/1.yaml:2:1"));
    apply(fixture, WEB("one", "b.example.com"), WEB("two", "a.example.com"));
    assert_true(host_is(fixture, "a.example.com", "two"));
    assert_true(host_is(fixture, "b.example.com", "one"));
    apply(fixture, NULL, NULL);
    assert_true(host_is(fixture, "a.example.com", NULL));
    assert_true(host_is(fixture, "b.example.com", NULL));
}

#define REMOTE                                                    \
    "version: v1\nkind: app\nmetadata: {name: one}\nspec: {uri: " \
    "'mcp+http://mcp.example.com/mcp'}\n"

#define LOCK(name, spec) \
    "---\nkind: lock\nversion: v2\nmetadata: {name: " name "}\nspec: {" spec "}\n"

static bool look_lock(struct fixture *fixture, enum revocation_kind kind, const char *value,
                      const char *name, struct revocation_record *out)
{
    struct revocation_record record = {.lock = slice_from(name)};
    struct store_key key;
    struct slice found;

    record.target.values[kind] = slice_from(value);
    revocation_record_key(&key, &record);
    if (!look(fixture, STORE_REVOCATIONS, &key, &found))
        return false;
    assert_int_equal(revocation_record_decode(found, out), 0);
    return true;
}

static void test_locks(void **state)
{
    struct fixture *fixture = *state;
    struct revocation_record record;
    uint64_t sequence;

    assert_int_equal(apply(fixture, NULL, NULL), 0);
    sequence = atomic_load(&fixture->public.revocations);
    assert_int_not_equal(sequence, 0);
    assert_int_equal(
        apply(fixture, LOCK("ban", "target: {user: ann, app: one}, message: why"), APP("one", "a")),
        1);
    /* One transaction, and both numbers with it. */
    assert_int_equal(atomic_load(&fixture->public.generation), fixture->first + 1);
    assert_int_equal(atomic_load(&fixture->public.revocations), sequence + 1);
    assert_true(look_lock(fixture, REVOCATION_USER, "ann", "ban", &record));
    assert_true(slice_is(record.target.values[REVOCATION_APP], "one"));
    assert_true(slice_is(record.why, "why"));
    assert_int_equal(record.uid, -1);
    assert_int_equal(record.since + record.until, 0);
    /* Other documents do not move the revocations. */
    assert_int_equal(
        apply(fixture, LOCK("ban", "target: {user: ann, app: one}, message: why"), APP("one", "b")),
        1);
    assert_int_equal(atomic_load(&fixture->public.revocations), sequence + 1);
    /* A broken edit keeps what was. */
    assert_int_equal(apply(fixture, LOCK("ban", "target: {usr: ann}"), APP("one", "b")), 1);
    assert_true(look_lock(fixture, REVOCATION_USER, "ann", "ban", &record));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_LOCK, "ban"), "did you mean"));
    /* A good one takes the old key away, also after a restart. */
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, LOCK("ban", "target: {subject: s}"), APP("one", "b")), 1);
    assert_false(look_lock(fixture, REVOCATION_USER, "ann", "ban", &record));
    assert_true(look_lock(fixture, REVOCATION_SUBJECT, "s", "ban", &record));
    assert_int_equal(atomic_load(&fixture->public.revocations), sequence + 2);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, NULL, APP("one", "b")), 1);
    assert_false(look_lock(fixture, REVOCATION_SUBJECT, "s", "ban", &record));
    assert_string_equal(refusal(fixture, DOCUMENT_LOCK, "ban"), "none");
    assert_int_equal(atomic_load(&fixture->public.revocations), sequence + 3);
}

static void test_locks_expire(void **state)
{
    struct fixture *fixture = *state;
    struct revocation_record record;

    assert_int_equal(apply(fixture,
                           LOCK("old", "target: {user: a}, expires: 2001-01-01T00:00:00Z")
                               LOCK("new", "target: {user: a}, expires: 2901-01-01T00:00:00Z"),
                           NULL),
                     1);
    assert_string_equal(refusal(fixture, DOCUMENT_LOCK, "old"), "");
    assert_false(look_lock(fixture, REVOCATION_USER, "a", "old", &record));
    assert_true(look_lock(fixture, REVOCATION_USER, "a", "new", &record));
    assert_true(record.until > clock_wall_seconds());
    /* An edit that ends it takes it away. */
    assert_int_equal(
        apply(fixture, LOCK("new", "target: {user: a}, expires: 2001-01-01T00:00:00Z"), NULL), 1);
    assert_false(look_lock(fixture, REVOCATION_USER, "a", "new", &record));
}

/* What a worker once refused by is not forgotten. */
static void test_revocations_never_go_backwards(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ahead = UINT64_C(1) << 60;

    atomic_store(&fixture->public.revocations, ahead);
    assert_int_equal(apply(fixture, LOCK("ban", "target: {user: a}"), NULL), 1);
    assert_int_equal(atomic_load(&fixture->public.revocations), ahead);
}

static void test_addresses(void **state)
{
    struct fixture *fixture = *state;
    struct app_record app;

    apply(fixture, REMOTE, NULL);
    assert_true(look_app(fixture, "one", &app));
    assert_int_equal(app.endpoints[0].address_count, 0);
    fixture->addresses[0] = "192.0.2.1";
    fixture->addresses[1] = "192.0.2.2";
    assert_int_equal(publisher_readdress(&fixture->publisher), 1);
    assert_true(look_app(fixture, "one", &app));
    assert_int_equal(app.endpoints[0].address_count, 2);
    /* Turned round is the same; no answer keeps what was known. */
    fixture->addresses[0] = "192.0.2.2";
    fixture->addresses[1] = "192.0.2.1";
    assert_int_equal(publisher_readdress(&fixture->publisher), 0);
    fixture->addresses[0] = NULL;
    assert_int_equal(publisher_readdress(&fixture->publisher), 0);
    close_publisher(fixture);
    open_publisher(fixture);
    assert_int_equal(apply(fixture, REMOTE, NULL), 0);
    assert_true(look_app(fixture, "one", &app));
    assert_int_equal(app.endpoints[0].address_count, 2);
}

static void test_ca_file(void **state)
{
    struct fixture *fixture = *state;
    struct app_record app;
    char document[512];
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/ca.pem", fixture->directory);
    snprintf(document, sizeof(document),
             "version: v1\nkind: app\nmetadata: {name: one}\n"
             "spec: {uri: 'mcp+https://127.0.0.1/mcp', ca: %s}\n",
             path);
    apply(fixture, document, NULL);
    assert_false(look_app(fixture, "one", &app));
    assert_non_null(strstr(refusal(fixture, DOCUMENT_APP, "one"), "No such file"));
    file = fopen(path, "w");
    fputs("first", file);
    fclose(file);
    apply(fixture, document, NULL);
    assert_true(look_app(fixture, "one", &app));
    assert_true(slice_is(app.ca_pem, "first"));
    file = fopen(path, "w");
    fputs("second", file);
    fclose(file);
    assert_int_equal(apply(fixture, document, NULL), 1);
    assert_true(look_app(fixture, "one", &app));
    assert_true(slice_is(app.ca_pem, "second"));
    assert_int_equal(truncate(path, APP_CA_MAX + 1), 0);
    apply(fixture, document, NULL);
    assert_string_not_equal(refusal(fixture, DOCUMENT_APP, "one"), "");
    assert_true(look_app(fixture, "one", &app));
    assert_true(slice_is(app.ca_pem, "second"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_first_publication),
        TEST(test_nothing_new_is_no_transaction),
        TEST(test_an_older_store_than_was_seen_is_not_published),
        TEST(test_an_empty_start_has_a_generation),
        TEST(test_refused_document_keeps_its_last_good),
        TEST(test_refused_without_a_good_version),
        TEST(test_unreadable_file_keeps_all_of_it),
        TEST(test_a_document_may_move_to_another_file),
        TEST(test_settings_that_cannot_be_read_keep_their_apps),
        TEST(test_twice_is_refused),
        TEST(test_public_address_of_the_gate_fills_again),
        TEST(test_hosts),
        TEST(test_locks),
        TEST(test_locks_expire),
        TEST(test_revocations_never_go_backwards),
        TEST(test_addresses),
        TEST(test_ca_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

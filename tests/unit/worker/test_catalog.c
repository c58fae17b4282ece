#include "tests/unit/worker/auth_fixture.h"
#include "worker/issuer_list.h"

#include "worker/policy_cache.h"

static struct slice text(const char *value)
{
    return slice_from(value);
}

static int shut_out(struct fixture *fixture, const struct session_id *id,
                    const struct session_record *session)
{
    bool locked;

    return catalog_shut_out(fixture->catalog, id, session, &locked);
}

static void assert_slice(struct slice slice, const char *expected)
{
    assert_int_equal(strlen(expected), slice.size);
    assert_memory_equal(expected, slice.data, slice.size);
}

static void apps_are_found_by_name_and_host(void **state)
{
    struct fixture fixture;
    struct catalog_app *app, *again;

    (void)state;
    fixture_open(&fixture);
    assert_null(catalog_app_find(fixture.catalog, text("red")));
    publish_begin(&fixture);
    publish_app(&fixture, "red", "red.example.test");
    publish_end(&fixture);
    /* Not in this turn's snapshot, but the miss is looked up once more. */
    app = catalog_app_find(fixture.catalog, text("red"));
    assert_non_null(app);
    assert_slice(app->record.name, "red");
    assert_int_equal(3001, app->record.endpoints[0].port);
    again = catalog_app_find_host(fixture.catalog, text("red.example.test"));
    assert_ptr_equal(app, again);
    catalog_app_release(again);
    again = catalog_app_find_host(fixture.catalog, text("red.example.test"));
    assert_ptr_equal(app, again);
    assert_null(catalog_app_find_host(fixture.catalog, text("blue.example.test")));
    assert_int_equal(0, catalog_error(fixture.catalog));
    catalog_app_release(again);
    catalog_app_release(app);
    fixture_close(&fixture);
}

static void held_app_survives_its_generation(void **state)
{
    struct fixture fixture;
    struct catalog_app *app, *next;
    struct store_key key;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    app = catalog_app_find(fixture.catalog, text("red"));
    assert_non_null(app);
    publish_begin(&fixture);
    store_key_of(&key, text("red"));
    assert_int_equal(0, store_delete(fixture.config, STORE_APPS, &key));
    publish_end(&fixture);
    /* Until the turn ends, what was decoded stands. */
    next = catalog_app_find(fixture.catalog, text("red"));
    assert_ptr_equal(app, next);
    catalog_app_release(next);
    fixture_turn(&fixture);
    assert_null(catalog_app_find(fixture.catalog, text("red")));
    assert_slice(app->record.name, "red");
    catalog_app_release(app);
    catalog_app_release(NULL);
    fixture_close(&fixture);
}

static void bindings_are_of_one_app_and_issuer(void **state)
{
    const struct catalog_binding *binding;
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    binding = catalog_binding_find(fixture.catalog, text("red"), text("https://red.test"));
    assert_non_null(binding);
    assert_slice(binding->record.config, "red");
    assert_slice(binding->record.audiences[0], "gate");
    assert_slice(binding->config.issuer, "https://red.test");
    assert_ptr_equal(binding,
                     catalog_binding_find(fixture.catalog, text("red"), text("https://red.test")));
    assert_null(catalog_binding_find(fixture.catalog, text("blue"), text("https://red.test")));
    assert_null(catalog_binding_find(fixture.catalog, text("none"), text("https://red.test")));
    assert_null(catalog_binding_find(fixture.catalog, text("red"), text("https://red.test/")));
    assert_null(catalog_binding_find(fixture.catalog, text("redhttps"), text("://red.test")));
    assert_int_equal(0, catalog_error(fixture.catalog));
    fixture_close(&fixture);
}

static void new_generation_drops_the_old(void **state)
{
    const struct catalog_binding *binding;
    struct auth_config_record config;
    struct fixture fixture;
    int error = -1;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    assert_false(catalog_turn(fixture.catalog, &error));
    assert_int_equal(0, error);
    binding = catalog_binding_find(fixture.catalog, text("red"), text("https://red.test"));
    assert_int_equal(1, binding->config.revision);
    publish_begin(&fixture);
    config = config_of("red", "https://red.test");
    config.revision = 2;
    publish_config(&fixture, &config);
    publish_unbinding(&fixture, "blue", "https://blue.test");
    publish_end(&fixture);
    store_turn_end(fixture.config);
    store_turn_begin(fixture.config);
    assert_true(catalog_turn(fixture.catalog, &error));
    assert_int_equal(0, error);
    assert_int_equal(fixture.public.generation, catalog_generation(fixture.catalog));
    binding = catalog_binding_find(fixture.catalog, text("red"), text("https://red.test"));
    assert_int_equal(2, binding->config.revision);
    assert_null(catalog_binding_find(fixture.catalog, text("blue"), text("https://blue.test")));
    fixture_close(&fixture);
}

static void audiences_are_filled_in_for_the_app(void **state)
{
    const struct catalog_binding *binding;
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    publish_begin(&fixture);
    publish_binding(&fixture, "red", "https://red.test", "red", "x-{{app}}/y");
    publish_binding(&fixture, "green", "https://red.test", "red", "x-{{app}}/y");
    publish_end(&fixture);
    fixture_turn(&fixture);
    binding = catalog_binding_find(fixture.catalog, text("red"), text("https://red.test"));
    assert_non_null(binding);
    assert_int_equal(1, binding->record.audience_count);
    assert_slice(binding->record.audiences[0], "x-red/y");
    binding = catalog_binding_find(fixture.catalog, text("green"), text("https://red.test"));
    assert_non_null(binding);
    assert_slice(binding->record.audiences[0], "x-green/y");
    fixture_close(&fixture);
}

static void config_of_another_issuer_is_no_binding(void **state)
{
    struct auth_config_record config;
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_begin(&fixture);
    config = config_of("red", "https://other.test");
    publish_config(&fixture, &config);
    publish_binding(&fixture, "red", "https://red.test", "red", "gate");
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_null(catalog_binding_find(fixture.catalog, text("red"), text("https://red.test")));
    assert_int_equal(0, catalog_error(fixture.catalog));
    fixture_close(&fixture);
}

static void unreadable_record_is_an_error_not_a_miss(void **state)
{
    struct fixture fixture;
    struct store_key key;
    struct buffer record = {0};

    (void)state;
    fixture_open(&fixture);
    publish_begin(&fixture);
    store_key_of(&key, text("red"));
    buffer_append_text(&record, "9 nonsense");
    publish_put(&fixture, STORE_APPS, &key, &record);
    publish_binding(&fixture, "red", "https://red.test", "gone", "gate");
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_null(catalog_app_find(fixture.catalog, text("red")));
    assert_int_equal(-EBADMSG, catalog_error(fixture.catalog));
    fixture_turn(&fixture);
    assert_int_equal(0, catalog_error(fixture.catalog));
    /* A binding whose config is missing. */
    assert_null(catalog_binding_find(fixture.catalog, text("red"), text("https://red.test")));
    assert_int_equal(-EBADMSG, catalog_error(fixture.catalog));
    fixture_close(&fixture);
}

static void keys_are_picked_by_kid_and_time(void **state)
{
    struct jose_key *keys[CATALOG_KEYS_MAX];
    struct slice thumbprints[CATALOG_KEYS_MAX];
    struct jose_key *again;
    struct fixture fixture;
    int64_t now = clock_wall_seconds();

    (void)state;
    fixture_open(&fixture);
    publish_begin(&fixture);
    publish_key(&fixture, "red", "k1", fixture.key, JOSE_ES256, 0);
    publish_key(&fixture, "red", "k/2", fixture.other_key, JOSE_ES256, now + 1000);
    publish_key(&fixture, "red", "old", fixture.other_key, JOSE_ES256, now - 1);
    publish_key(&fixture, "red", "", fixture.other_key, JOSE_ES256, 0);
    publish_key(&fixture, "redder", "k3", fixture.key, JOSE_ES256, 0);
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_int_equal(1, catalog_keys(fixture.catalog, text("red"), text("k1"), keys, thumbprints,
                                     CATALOG_KEYS_MAX));
    assert_int_equal(64, thumbprints[0].size);
    again = keys[0];
    assert_int_equal(1, catalog_keys(fixture.catalog, text("red"), text("k1"), keys, thumbprints,
                                     CATALOG_KEYS_MAX));
    assert_ptr_equal(again, keys[0]);
    assert_int_equal(1, catalog_keys(fixture.catalog, text("red"), text("k/2"), keys, thumbprints,
                                     CATALOG_KEYS_MAX));
    assert_int_equal(0, catalog_keys(fixture.catalog, text("red"), text("old"), keys, thumbprints,
                                     CATALOG_KEYS_MAX));
    assert_int_equal(0, catalog_keys(fixture.catalog, text("red"), text("k"), keys, thumbprints,
                                     CATALOG_KEYS_MAX));
    assert_int_equal(3, catalog_keys(fixture.catalog, text("red"), text(""), keys, thumbprints,
                                     CATALOG_KEYS_MAX));
    assert_int_equal(2, catalog_keys(fixture.catalog, text("red"), text(""), keys, thumbprints, 2));
    assert_int_equal(0, catalog_keys(fixture.catalog, text("none"), text(""), keys, thumbprints,
                                     CATALOG_KEYS_MAX));
    assert_int_equal(0, catalog_error(fixture.catalog));
    fixture_close(&fixture);
}

static void metadata_names_issuers_of_the_app(void **state)
{
    const struct issuer_list *list;
    struct auth_config_record config;
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    publish_begin(&fixture);
    config = config_of("plain", "cluster-name");
    publish_config(&fixture, &config);
    publish_binding(&fixture, "red", "cluster-name", "plain", "gate");
    publish_binding(&fixture, "green", "cluster-name", "plain", "gate");
    publish_end(&fixture);
    fixture_turn(&fixture);
    for (int pass = 0; pass < 2; pass++) {
        list = catalog_issuers(fixture.catalog, text("red"));
        assert_int_equal(1, list->count);
        assert_slice(list->issuers[0], "https://red.test");
        assert_int_equal(0, list->scope_count);
        assert_slice(list->scope, "");
        assert_int_equal(0, catalog_issuers(fixture.catalog, text("green"))->count);
        list = catalog_issuers(fixture.catalog, text("unknown"));
        assert_int_equal(2, list->count);
        assert_slice(list->issuers[0], "https://blue.test");
        assert_slice(list->issuers[1], "https://red.test");
        /* A prefix of a name is another app. */
        assert_int_equal(2, catalog_issuers(fixture.catalog, text("re"))->count);
    }
    fixture_close(&fixture);
}

/* RFC 8414 wants https; nobody stands between a client and its own host. */
static void metadata_names_http_issuers_on_loopback_only(void **state)
{
    static const struct {
        const char *issuer;
        bool named;
    } cases[] = {
        {"http://127.0.0.1:4000", true},
        {"http://127.9.9.9", true},
        {"http://[::1]:4000/realm", true},
        {"http://localhost:4000", true},
        {"http://localhost.red.test", false},
        {"http://127.0.0.1.red.test", false},
        {"http://red.test", false},
        {"http://10.0.0.1", false},
        {"http://127.0.0.1@red.test", false},
        {"http://127.0.0.1:4000 ", false},
        {"http://", false},
        {"127.0.0.1", false},
        {"ftp://127.0.0.1", false},
    };
    const struct issuer_list *list;
    struct fixture fixture;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct auth_config_record config = config_of("local", cases[i].issuer);

        fixture_open(&fixture);
        publish_begin(&fixture);
        publish_config(&fixture, &config);
        publish_binding(&fixture, "red", cases[i].issuer, "local", "gate");
        publish_end(&fixture);
        fixture_turn(&fixture);
        list = catalog_issuers(fixture.catalog, text("red"));
        assert_int_equal(cases[i].named, list->count);
        if (cases[i].named)
            assert_slice(list->issuers[0], cases[i].issuer);
        fixture_close(&fixture);
    }
}

static void metadata_names_the_scopes_of_the_app(void **state)
{
    const struct issuer_list *list;
    struct auth_config_record config;
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    publish_begin(&fixture);
    config = config_of("red", "https://red.test");
    config.required_scopes[config.required_scope_count++] = text("mcp");
    config.required_scopes[config.required_scope_count++] = text("tools:call");
    publish_config(&fixture, &config);
    config = config_of("second", "https://second.test");
    config.required_scopes[config.required_scope_count++] = text("tools:call");
    config.required_scopes[config.required_scope_count++] = text("tools");
    publish_config(&fixture, &config);
    publish_binding(&fixture, "red", "https://second.test", "second", "gate");
    publish_end(&fixture);
    fixture_turn(&fixture);
    list = catalog_issuers(fixture.catalog, text("red"));
    assert_slice(list->scope, "mcp tools:call tools");
    assert_int_equal(3, list->scope_count);
    assert_slice(list->scopes[0], "mcp");
    assert_slice(list->scopes[1], "tools:call");
    assert_slice(list->scopes[2], "tools");
    assert_int_equal(0, catalog_issuers(fixture.catalog, text("blue"))->scope_count);
    assert_slice(catalog_issuers(fixture.catalog, text("unknown"))->scope, "mcp tools:call tools");
    fixture_close(&fixture);
}

/* More than fit are cut off, and a list that is full still has the other half. */
static void metadata_is_bounded(void **state)
{
    const struct issuer_list *list;
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_begin(&fixture);
    for (int i = 0; i < CATALOG_ISSUERS_MAX + 2; i++) {
        char name[8], issuer[32], scope[8];
        struct auth_config_record config;

        snprintf(name, sizeof(name), "c%03d", i);
        snprintf(issuer, sizeof(issuer), "https://%d.test", i);
        snprintf(scope, sizeof(scope), "s%d", i);
        config = config_of(name, issuer);
        if (i > 0)
            config.required_scopes[config.required_scope_count++] = slice_from(scope);
        publish_config(&fixture, &config);
    }
    publish_end(&fixture);
    fixture_turn(&fixture);
    list = catalog_issuers(fixture.catalog, text("unknown"));
    assert_int_equal(CATALOG_ISSUERS_MAX, list->count);
    assert_slice(list->issuers[CATALOG_ISSUERS_MAX - 1], "https://63.test");
    assert_int_equal(CATALOG_SCOPES_MAX, list->scope_count);
    assert_slice(list->scopes[CATALOG_SCOPES_MAX - 1], "s64");
    fixture_close(&fixture);
}

static void snapshot_that_was_turned_back_is_refused(void **state)
{
    struct fixture fixture;
    int error = 0;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    fixture.public.generation += 1; /* announced, but the store does not have it */
    store_turn_end(fixture.config);
    store_turn_begin(fixture.config);
    assert_true(catalog_turn(fixture.catalog, &error));
    assert_int_equal(-ESTALE, error);
    assert_null(catalog_binding_find(fixture.catalog, text("red"), text("https://red.test")));
    assert_null(catalog_app_find(fixture.catalog, text("red")));
    assert_int_equal(-ESTALE, catalog_error(fixture.catalog));
    /* For good: the worker has to go. */
    fixture.public.generation -= 1;
    catalog_turn(fixture.catalog, &error);
    assert_int_equal(-ESTALE, error);
    fixture_close(&fixture);
}

/* Turned back without an announcement: the next read that misses the memory sees it. */
static void later_snapshot_that_was_turned_back_is_refused(void **state)
{
    struct fixture fixture;
    struct buffer record = {0};
    struct store_key key;
    int error = 0;

    (void)state;
    fixture_open(&fixture);
    publish_red_and_blue(&fixture);
    generation_record_key(&key);
    publish_begin(&fixture);
    assert_int_equal(0, generation_record_encode(fixture.public.generation - 1, &record));
    publish_put(&fixture, STORE_META, &key, &record);
    assert_int_equal(0, store_commit(fixture.config));
    store_turn_end(fixture.config);
    store_turn_begin(fixture.config);
    assert_false(catalog_turn(fixture.catalog, &error));
    assert_int_equal(0, error);
    assert_null(catalog_app_find(fixture.catalog, text("red")));
    assert_int_equal(-ESTALE, catalog_error(fixture.catalog));
    catalog_turn(fixture.catalog, &error);
    assert_int_equal(-ESTALE, error);
    fixture_close(&fixture);
}

static struct session_record session_of(void)
{
    return (struct session_record){
        .app = text("red"),
        .issuer = text("https://red.test"),
        .user = text("ann@x.test"),
        .subject = text("s-1"),
        .jti = text("j-1"),
        .signing_input = text("abc"),
        .issued_at = 1000,
    };
}

static struct revocation_record revocation_of(enum revocation_kind kind, const char *issuer,
                                              const char *value)
{
    struct revocation_record revocation = {.made = 1};

    revocation.target.values[kind] = text(value);
    revocation.target.issuer = text(issuer);
    return revocation;
}

static void revocations_name_sessions_in_six_ways(void **state)
{
    static const struct {
        enum revocation_kind kind;
        const char *issuer, *value;
        int revoked;
    } cases[] = {
        {REVOCATION_SESSION, NULL, "jwt_none", 0},
        {REVOCATION_USER, "https://other.test", "ann@x.test", 0},
        {REVOCATION_USER, NULL, "s-1", 0},
        {REVOCATION_USER, "https://red.test", "ann@x.test", 1},
        {REVOCATION_USER, NULL, "ann@x.test", 1},
        {REVOCATION_SUBJECT, "https://red.test", "s-1", 1},
        {REVOCATION_SUBJECT, NULL, "s-1", 1},
        {REVOCATION_JTI, "https://red.test", "j-1", 1},
        {REVOCATION_JTI, NULL, "j-1", 1},
        {REVOCATION_APP, NULL, "red", 1},
        {REVOCATION_SIGNING_INPUT, NULL, "abc", 1},
    };
    struct session_record session = session_of();
    struct revocation_record revocation;
    struct session_id id;

    (void)state;
    session_id_make(&id, SESSION_KIND_JWT, text("red"), text("token"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture fixture;

        fixture_open(&fixture);
        assert_int_equal(0, shut_out(&fixture, &id, &session));
        revocation = revocation_of(cases[i].kind, cases[i].issuer, cases[i].value);
        publish_revocation(&fixture, &revocation);
        /* In the very turn that saw nothing of it. */
        for (int pass = 0; pass < 2; pass++)
            assert_int_equal(cases[i].revoked, shut_out(&fixture, &id, &session));
        revocation = revocation_of(REVOCATION_SESSION, NULL, id.text);
        publish_revocation(&fixture, &revocation);
        assert_int_equal(1, shut_out(&fixture, &id, &session));
        fixture_close(&fixture);
    }
}

static void locks_are_told_from_revocations(void **state)
{
    struct revocation_record revocation = revocation_of(REVOCATION_APP, NULL, "red");
    struct session_record session = session_of();
    struct fixture fixture;
    struct session_id id;
    bool locked;

    (void)state;
    session_id_make(&id, SESSION_KIND_JWT, text("red"), text("token"));
    fixture_open(&fixture);
    revocation.target.values[REVOCATION_USER] = text("bob@x.test");
    revocation.lock = text("ban");
    publish_revocation(&fixture, &revocation);
    assert_int_equal(0, catalog_shut_out(fixture.catalog, &id, &session, &locked));
    /* Another one under the same name, and all that it names fits. */
    revocation.target.values[REVOCATION_USER] = text("ann@x.test");
    revocation.lock = text("ban-2");
    publish_revocation(&fixture, &revocation);
    assert_int_equal(1, catalog_shut_out(fixture.catalog, &id, &session, &locked));
    assert_true(locked);
    revocation = revocation_of(REVOCATION_SESSION, NULL, id.text);
    publish_revocation(&fixture, &revocation);
    assert_int_equal(1, catalog_shut_out(fixture.catalog, &id, &session, &locked));
    assert_false(locked);
    fixture_close(&fixture);
}

static void revocations_have_a_begin_and_an_end(void **state)
{
    struct revocation_record revocation = revocation_of(REVOCATION_USER, NULL, "ann@x.test");
    struct session_record session = session_of();
    struct fixture fixture;
    struct session_id id;

    (void)state;
    session_id_make(&id, SESSION_KIND_JWT, text("red"), text("token"));
    fixture_open(&fixture);
    revocation.since = session.issued_at - 1;
    publish_revocation(&fixture, &revocation);
    assert_int_equal(0, shut_out(&fixture, &id, &session));
    revocation.since = session.issued_at;
    revocation.until = clock_wall_seconds() - 1;
    publish_revocation(&fixture, &revocation);
    assert_int_equal(0, shut_out(&fixture, &id, &session));
    revocation.until = clock_wall_seconds() + 1000;
    publish_revocation(&fixture, &revocation);
    assert_int_equal(1, shut_out(&fixture, &id, &session));
    fixture_close(&fixture);
}

/* Who it names cannot be known: that must not pass as nobody. */
static void unreadable_revocation_is_an_error(void **state)
{
    struct revocation_record revocation = revocation_of(REVOCATION_APP, NULL, "red");
    struct session_record session = session_of();
    struct buffer record = {0};
    struct fixture fixture;
    struct store_key key;
    struct session_id id;

    (void)state;
    session_id_make(&id, SESSION_KIND_JWT, text("red"), text("token"));
    fixture_open(&fixture);
    publish_begin(&fixture);
    revocation_record_key(&key, &revocation);
    buffer_append_text(&record, "1 until=1:0");
    publish_put(&fixture, STORE_REVOCATIONS, &key, &record);
    assert_int_equal(0, store_commit(fixture.config));
    assert_int_equal(-EBADMSG, shut_out(&fixture, &id, &session));
    fixture_close(&fixture);
}

/* The scoreboard announces what no snapshot shows, not even a renewed one. */
static void snapshot_without_announced_revocations_is_refused(void **state)
{
    struct revocation_record revocation = revocation_of(REVOCATION_APP, NULL, "blue");
    struct session_record session = session_of();
    struct fixture fixture;
    struct session_id id;
    int error;

    (void)state;
    session_id_make(&id, SESSION_KIND_JWT, text("red"), text("token"));
    fixture_open(&fixture);
    publish_revocation(&fixture, &revocation);
    assert_int_equal(0, shut_out(&fixture, &id, &session));
    fixture.public.revocations++;
    assert_int_equal(-ESTALE, shut_out(&fixture, &id, &session));
    catalog_turn(fixture.catalog, &error);
    assert_int_equal(-ESTALE, error);
    fixture_close(&fixture);
}

static void publish_role(struct fixture *fixture, const char *role, bool deny, const char *tool)
{
    struct policy_rule rule = {
        .kind = POLICY_TOOL, .pattern = slice_from(tool), .place = slice_from("r.yaml:1:1")};
    struct policy_record record = {.role = slice_from(role),
                                   .deny = deny,
                                   .file = slice_from("r.yaml"),
                                   .place = slice_from("r.yaml:1:1"),
                                   .rules = &rule,
                                   .rule_count = 1};
    struct buffer bytes = {0};
    struct store_key key;

    policy_record_key(&key, record.role, deny);
    assert_int_equal(0, policy_record_encode(&record, &bytes));
    publish_put(fixture, STORE_POLICIES, &key, &bytes);
}

static void publish_match(struct fixture *fixture, const char *role, bool allow, bool deny)
{
    struct buffer bytes = {0};
    struct store_key key;

    policy_match_key(&key, text("red"), text(role));
    assert_int_equal(
        0, policy_match_encode((struct policy_match){.allow = allow, .deny = deny}, &bytes));
    publish_put(fixture, STORE_POLICIES, &key, &bytes);
}

static enum policy_outcome tool_call(struct fixture *fixture, const struct session_record *session,
                                     const char *tool)
{
    struct policy_set *set = catalog_policy(fixture->catalog, text("red"), session);
    struct policy_query query = {.kind = POLICY_TOOL, .name = text(tool)};
    enum policy_outcome outcome;

    assert_non_null(set);
    outcome = policy_judge(set, &query).outcome;
    policy_set_release(set);
    return outcome;
}

static void policies_are_of_the_roles_that_match(void **state)
{
    struct session_record session = {
        .roles = {slice_from("reader"), slice_from("careful"), slice_from("unknown")},
        .role_count = 3};
    struct session_record access = {.roles = {slice_from("access"), slice_from("careful")},
                                    .role_count = 1};
    struct policy_set *first, *again;
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    /* Nothing matches: the app is shut, and this is known without an error. */
    first = catalog_policy(fixture.catalog, text("red"), &session);
    assert_false(policy_set_admits(first));
    policy_set_release(first);
    assert_int_equal(0, catalog_error(fixture.catalog));
    publish_begin(&fixture);
    publish_role(&fixture, "reader", false, "get_*");
    publish_role(&fixture, "reader", true, "never");
    publish_match(&fixture, "reader", true, false);
    publish_role(&fixture, "careful", true, "get_env");
    publish_match(&fixture, "careful", false, true);
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_int_equal(POLICY_ALLOWED, tool_call(&fixture, &session, "get_sum"));
    assert_int_equal(POLICY_DENIED, tool_call(&fixture, &session, "get_env"));
    first = catalog_policy(fixture.catalog, text("red"), &session);
    again = catalog_policy(fixture.catalog, text("red"), &session);
    assert_ptr_equal(first, again);
    policy_set_release(again);
    /* Kept by who holds it, over a generation. */
    publish_begin(&fixture);
    publish_role(&fixture, "reader", false, "other");
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_int_equal(POLICY_DENIED, tool_call(&fixture, &session, "get_sum"));
    assert_int_equal(POLICY_ALLOWED, tool_call(&fixture, &session, "other"));
    assert_true(policy_lists(first, POLICY_TOOL, text("get_sum")));
    policy_set_release(first);
    assert_ptr_equal(policy_set_open(), catalog_policy(fixture.catalog, text("red"), &access));
    access.role_count = 2;
    assert_int_equal(POLICY_ALLOWED, tool_call(&fixture, &access, "anything"));
    assert_int_equal(POLICY_DENIED, tool_call(&fixture, &access, "get_env"));
    fixture_close(&fixture);
}

static void policy_without_its_side_is_an_error(void **state)
{
    struct session_record session = {.roles = {slice_from("reader")}, .role_count = 1};
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture);
    publish_begin(&fixture);
    publish_match(&fixture, "reader", true, false);
    publish_end(&fixture);
    fixture_turn(&fixture);
    assert_null(catalog_policy(fixture.catalog, text("red"), &session));
    assert_int_equal(-EBADMSG, catalog_error(fixture.catalog));
    fixture_close(&fixture);
}

/* Tokens choose among the combinations of roles: a full cache starts anew. */
static void policies_are_kept_in_bounds(void **state)
{
    struct session_record session = {.role_count = 1};
    struct fixture fixture;
    char role[16];

    (void)state;
    fixture_open(&fixture);
    for (int i = 0; i < 2 * POLICY_CACHE_SETS + 10; i++) {
        struct policy_set *set;

        snprintf(role, sizeof(role), "r%d", i);
        session.roles[0] = text(role);
        set = catalog_policy(fixture.catalog, text("red"), &session);
        assert_non_null(set);
        policy_set_release(set);
    }
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(apps_are_found_by_name_and_host),
        cmocka_unit_test(held_app_survives_its_generation),
        cmocka_unit_test(bindings_are_of_one_app_and_issuer),
        cmocka_unit_test(new_generation_drops_the_old),
        cmocka_unit_test(audiences_are_filled_in_for_the_app),
        cmocka_unit_test(config_of_another_issuer_is_no_binding),
        cmocka_unit_test(unreadable_record_is_an_error_not_a_miss),
        cmocka_unit_test(keys_are_picked_by_kid_and_time),
        cmocka_unit_test(metadata_names_issuers_of_the_app),
        cmocka_unit_test(metadata_names_http_issuers_on_loopback_only),
        cmocka_unit_test(metadata_names_the_scopes_of_the_app),
        cmocka_unit_test(metadata_is_bounded),
        cmocka_unit_test(snapshot_that_was_turned_back_is_refused),
        cmocka_unit_test(later_snapshot_that_was_turned_back_is_refused),
        cmocka_unit_test(revocations_name_sessions_in_six_ways),
        cmocka_unit_test(locks_are_told_from_revocations),
        cmocka_unit_test(revocations_have_a_begin_and_an_end),
        cmocka_unit_test(unreadable_revocation_is_an_error),
        cmocka_unit_test(snapshot_without_announced_revocations_is_refused),
        cmocka_unit_test(policies_are_of_the_roles_that_match),
        cmocka_unit_test(policy_without_its_side_is_an_error),
        cmocka_unit_test(policies_are_kept_in_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

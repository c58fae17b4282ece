#include "conf/document.h"

#include "conf/role_check.h"
#include "shared/uri.h"

#include <stdlib.h>

/* What two documents must not share; sorted so that equals are neighbours. */
struct claim {
    struct document *document;
    struct slice text;
};

static int claim_compare(const void *left, const void *right)
{
    const struct claim *a = left;
    const struct claim *b = right;
    int order;

    if (a->document->kind != b->document->kind)
        return a->document->kind < b->document->kind ? -1 : 1;
    order = slice_compare(a->text, b->text);
    if (order != 0)
        return order;
    /* The order of reading: a list's documents lie in one array. */
    return a->document < b->document ? -1 : a->document > b->document;
}

static void check_out_of_memory(struct diagnostics *diagnostics)
{
    diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, (struct place){0}, NULL, NULL, "out of memory");
}

static void claims_clash(struct claim *first, struct claim *second, const char *key,
                         const char *hint, struct diagnostics *diagnostics)
{
    const struct place *other = &first->document->place;

    diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, second->document->place, key, hint,
                    "\"%.*s\" is taken already at %.*s:%u:%u", (int)second->text.size,
                    second->text.data, (int)other->file.size, other->file.data, other->line,
                    other->column);
    first->document->state = DOCUMENT_REFUSED;
    second->document->state = DOCUMENT_REFUSED;
}

/* Sorts the claims and refuses every two neighbours that are alike. */
static void claims_check(struct claim *claims, size_t count, const char *key, const char *hint,
                         struct diagnostics *diagnostics)
{
    if (count > 1)
        qsort(claims, count, sizeof(*claims), claim_compare);
    for (size_t i = 1; i < count; i++)
        if (claims[i - 1].document->kind == claims[i].document->kind &&
            slice_equal(claims[i - 1].text, claims[i].text))
            claims_clash(&claims[i - 1], &claims[i], key, hint, diagnostics);
}

static void check_names(struct document_list *list, struct claim *claims,
                        struct diagnostics *diagnostics)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        if (list->documents[i].kind != DOCUMENT_UNKNOWN && list->documents[i].name.size > 0)
            claims[count++] = (struct claim){&list->documents[i], list->documents[i].name};
    claims_check(claims, count, "name", "a name may be used once for each kind", diagnostics);
}

static struct slice gate_host(struct slice public_addr)
{
    const char *reason;
    struct uri uri;

    return uri_parse(public_addr, &uri, &reason) == 0 ? uri.host : slice_make(NULL, 0);
}

static void check_hosts(struct document_list *list, struct slice host, struct claim *claims,
                        struct diagnostics *diagnostics)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct document *document = &list->documents[i];

        if (document->kind != DOCUMENT_APP || document->state != DOCUMENT_GOOD ||
            document->app.record.public_addr.size == 0)
            continue;
        if (slice_equal_nocase(document->app.record.public_addr, host)) {
            diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, document->place, "public_addr",
                            "give the app a host name of its own", "is the gate's own host");
            document->state = DOCUMENT_REFUSED;
        }
        claims[count++] = (struct claim){document, document->app.record.public_addr};
    }
    claims_check(claims, count, "public_addr", "give each app a host name of its own", diagnostics);
}

void documents_check_names(struct document_list *list, struct slice public_addr,
                           struct diagnostics *diagnostics)
{
    struct claim *claims = calloc(list->count + 1, sizeof(*claims));

    if (claims == NULL) {
        check_out_of_memory(diagnostics);
        return;
    }
    check_names(list, claims, diagnostics);
    check_hosts(list, gate_host(public_addr), claims, diagnostics);
    free(claims);
}

/* A literal audience of a config, and an app that it opens. */
struct opening {
    const struct document *config;
    const struct document *app;
    struct slice audience;
};

struct binding_check {
    const struct document_list *list;
    struct diagnostics *diagnostics;
    struct claim *configs; /* good configs, sorted by issuer */
    size_t config_count;
    struct opening *openings; /* at most two apps of each audience of each config */
    size_t opening_count;
};

static bool config_opens(const struct document *config, const struct document *app)
{
    return app->kind == DOCUMENT_APP && app->state == DOCUMENT_GOOD &&
           label_matches(config->auth_config.selectors, config->auth_config.selector_count,
                         app->app.record.labels, app->app.record.label_count);
}

static void binding_clash(struct binding_check *check, const struct document *first,
                          const struct document *second, const struct document *app)
{
    const struct place *other = &first->place;
    struct slice issuer = first->auth_config.record.issuer;

    diagnostics_add(
        check->diagnostics, DIAGNOSTIC_ERROR, second->place, "spec.jwt.issuer",
        "choose labels that keep them apart, or make them one config",
        "\"%.*s\" and \"%.*s\" at %.*s:%u:%u have one issuer, %.*s, and both choose the "
        "app \"%.*s\"",
        (int)second->name.size, second->name.data, (int)first->name.size, first->name.data,
        (int)other->file.size, other->file.data, other->line, other->column, (int)issuer.size,
        issuer.data, (int)app->name.size, app->name.data);
}

/* One issuer's configs, [first, end): no app may be chosen by two. Each config is named once. */
static void check_issuer(struct binding_check *check, size_t first, size_t end)
{
    bool *named = calloc(end - first, sizeof(*named));

    if (named == NULL) {
        check_out_of_memory(check->diagnostics);
        return;
    }
    for (size_t i = 0; i < check->list->count && end - first > 1; i++) {
        const struct document *app = &check->list->documents[i];
        const struct document *chosen = NULL;

        for (size_t j = first; j < end; j++) {
            const struct document *config = check->configs[j].document;

            if (!config_opens(config, app))
                continue;
            if (chosen != NULL && !named[j - first]) {
                binding_clash(check, chosen, config, app);
                named[j - first] = true;
            }
            chosen = chosen == NULL ? config : chosen;
        }
    }
    free(named);
}

static bool audience_is_literal(struct slice audience)
{
    return audience.size == 0 || memmem(audience.data, audience.size, "{{", 2) == NULL;
}

/* Two apps are enough to see that an audience opens more than one. */
static void openings_collect(struct binding_check *check, const struct document *config)
{
    size_t apps = 0;

    for (size_t i = 0; i < check->list->count && apps < 2; i++) {
        const struct document *app = &check->list->documents[i];

        if (!config_opens(config, app))
            continue;
        apps++;
        for (size_t j = 0; j < config->auth_config.audience_count; j++)
            if (audience_is_literal(config->auth_config.audiences[j]))
                check->openings[check->opening_count++] =
                    (struct opening){config, app, config->auth_config.audiences[j]};
    }
}

static int opening_compare(const void *left, const void *right)
{
    const struct opening *a = left;
    const struct opening *b = right;
    int order =
        slice_compare(a->config->auth_config.record.issuer, b->config->auth_config.record.issuer);

    if (order == 0)
        order = slice_compare(a->audience, b->audience);
    if (order == 0 && a->config != b->config)
        order = a->config < b->config ? -1 : 1;
    if (order == 0 && a->app != b->app)
        order = a->app < b->app ? -1 : 1;
    return order;
}

static bool opening_is_alike(const struct opening *a, const struct opening *b)
{
    return slice_equal(a->config->auth_config.record.issuer,
                       b->config->auth_config.record.issuer) &&
           slice_equal(a->audience, b->audience);
}

/* Warns once for each issuer and audience: at the first of a run that reaches a second app. */
static void openings_check(struct binding_check *check)
{
    bool warned = false;

    if (check->opening_count > 1)
        qsort(check->openings, check->opening_count, sizeof(*check->openings), opening_compare);
    for (size_t i = 1; i < check->opening_count; i++) {
        const struct opening *first = &check->openings[i - 1];
        const struct opening *second = &check->openings[i];

        if (!opening_is_alike(first, second)) {
            warned = false;
        } else if (!warned && first->app != second->app) {
            warned = true;
            diagnostics_add(check->diagnostics, DIAGNOSTIC_WARNING, second->config->place,
                            "spec.jwt.audience", "{{app.resource}} makes tokens good for one app",
                            "a token for \"%.*s\" opens more than one app: \"%.*s\" and \"%.*s\"",
                            (int)second->audience.size, second->audience.data,
                            (int)first->app->name.size, first->app->name.data,
                            (int)second->app->name.size, second->app->name.data);
        }
    }
}

static void check_bindings(struct binding_check *check)
{
    size_t first = 0;

    for (size_t i = 0; i < check->list->count; i++) {
        struct document *document = &check->list->documents[i];

        if (document->kind == DOCUMENT_AUTH_CONFIG && document->state == DOCUMENT_GOOD)
            check->configs[check->config_count++] =
                (struct claim){document, document->auth_config.record.issuer};
    }
    if (check->config_count > 1)
        qsort(check->configs, check->config_count, sizeof(*check->configs), claim_compare);
    for (size_t i = 1; i <= check->config_count; i++)
        if (i == check->config_count ||
            !slice_equal(check->configs[i].text, check->configs[first].text)) {
            check_issuer(check, first, i);
            first = i;
        }
    for (size_t i = 0; i < check->config_count; i++)
        openings_collect(check, check->configs[i].document);
    openings_check(check);
}

void documents_check_bindings(const struct document_list *list, struct diagnostics *diagnostics)
{
    struct binding_check check = {.list = list, .diagnostics = diagnostics};
    size_t openings = 0;

    for (size_t i = 0; i < list->count; i++)
        if (list->documents[i].kind == DOCUMENT_AUTH_CONFIG)
            openings += 2 * list->documents[i].auth_config.audience_count;
    check.configs = calloc(list->count + 1, sizeof(*check.configs));
    check.openings = calloc(openings + 1, sizeof(*check.openings));
    if (check.configs == NULL || check.openings == NULL)
        check_out_of_memory(diagnostics);
    else
        check_bindings(&check);
    free(check.configs);
    free(check.openings);
}

void documents_check_together(struct document_list *list, struct slice public_addr,
                              struct diagnostics *diagnostics)
{
    documents_check_names(list, public_addr, diagnostics);
    documents_check_bindings(list, diagnostics);
    documents_check_roles(list, diagnostics);
}

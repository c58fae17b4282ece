#include "conf/role_check.h"

#include "conf/role_rule.h"

#include <stdlib.h>

struct role_names {
    struct slice *names; /* sorted */
    size_t count;
};

static int name_compare(const void *left, const void *right)
{
    return slice_compare(*(const struct slice *)left, *(const struct slice *)right);
}

static bool names_hold(const struct role_names *names, struct slice name)
{
    return names->count > 0 &&
           bsearch(&name, names->names, names->count, sizeof(*names->names), name_compare) != NULL;
}

static bool is_good(const struct document *document, enum document_kind kind)
{
    return document->kind == kind && document->state == DOCUMENT_GOOD;
}

/* Refused ones too: it is known that they are wrong. */
static bool names_of_roles(const struct document_list *list, struct role_names *out)
{
    out->names = calloc(list->count + 1, sizeof(*out->names));
    if (out->names == NULL)
        return false;
    for (size_t i = 0; i < list->count; i++)
        if (list->documents[i].kind == DOCUMENT_ROLE)
            out->names[out->count++] = list->documents[i].name;
    qsort(out->names, out->count, sizeof(*out->names), name_compare);
    return true;
}

/* What the configs give; each twice or more where several do. */
static size_t names_given(const struct document_list *list, struct slice *out)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct role_mapping mapping;
        struct record_reader reader;

        if (!is_good(&list->documents[i], DOCUMENT_AUTH_CONFIG))
            continue;
        role_mappings_open(&reader, list->documents[i].auth_config.record.role_mappings);
        while (role_mappings_next(&reader, &mapping)) {
            for (size_t j = 0; out != NULL && j < mapping.role_count; j++)
                out[count + j] = mapping.roles[j];
            count += mapping.role_count;
        }
    }
    return count;
}

static void check_config(const struct document *config, const struct role_names *roles,
                         struct diagnostics *diagnostics)
{
    struct role_mapping mapping;
    struct record_reader reader;

    role_mappings_open(&reader, config->auth_config.record.role_mappings);
    while (role_mappings_next(&reader, &mapping))
        for (size_t i = 0; i < mapping.role_count; i++)
            if (!slice_is(mapping.roles[i], POLICY_ROLE_ACCESS) &&
                !names_hold(roles, mapping.roles[i]))
                diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, config->place,
                                "spec.jwt.claims_to_roles", "it grants nothing",
                                "there is no role \"%.*s\"", (int)mapping.roles[i].size,
                                mapping.roles[i].data);
}

static bool side_chooses(const struct document_list *list, const struct policy_record *record)
{
    size_t count;
    const struct label_selector *selectors = role_side_selectors(record, &count);

    for (size_t i = 0; i < list->count; i++) {
        const struct document *app = &list->documents[i];

        if (is_good(app, DOCUMENT_APP) &&
            label_matches(selectors, count, app->app.record.labels, app->app.record.label_count))
            return true;
    }
    return false;
}

static void check_role(const struct document_list *list, const struct document *role,
                       const struct role_names *given, struct diagnostics *diagnostics)
{
    static const char *const keys[2] = {"spec.allow.app_labels", "spec.deny.app_labels"};

    for (int deny = 0; deny < 2; deny++)
        if (role->role.has[deny] && role->role.records[deny].selector_count > 0 &&
            !side_chooses(list, &role->role.records[deny]))
            diagnostics_add(diagnostics, DIAGNOSTIC_WARNING,
                            role_place_read(role->role.records[deny].place, role->place),
                            keys[deny], NULL, "no app bears these labels");
    if (!names_hold(given, role->name))
        diagnostics_add(diagnostics, DIAGNOSTIC_WARNING, role->place, "metadata.name",
                        "name it in claims_to_roles of an app_auth_config",
                        "no user has the role \"%.*s\"", (int)role->name.size, role->name.data);
}

void documents_check_roles(const struct document_list *list, struct diagnostics *diagnostics)
{
    struct role_names roles = {0};
    struct role_names given = {0};

    given.count = names_given(list, NULL);
    given.names = calloc(given.count + 1, sizeof(*given.names));
    if (given.names == NULL || !names_of_roles(list, &roles)) {
        diagnostics_add(diagnostics, DIAGNOSTIC_ERROR, (struct place){0}, NULL, NULL,
                        "out of memory");
        free(given.names);
        return;
    }
    names_given(list, given.names);
    qsort(given.names, given.count, sizeof(*given.names), name_compare);
    for (size_t i = 0; i < list->count; i++) {
        if (is_good(&list->documents[i], DOCUMENT_ROLE))
            check_role(list, &list->documents[i], &given, diagnostics);
        else if (is_good(&list->documents[i], DOCUMENT_AUTH_CONFIG))
            check_config(&list->documents[i], &roles, diagnostics);
    }
    free(given.names);
    free(roles.names);
}

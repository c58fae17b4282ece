#include "worker/session_roles.h"

#include "shared/pattern.h"
#include "shared/policy_record.h"

#include <errno.h>

enum fit { FIT_NO, FIT_YES, FIT_UNKNOWN };

static enum fit string_fits(const struct json_value *string, const struct pattern *pattern)
{
    char decoded[PATTERN_SUBJECT_MAX];
    unsigned given_up = 0;
    long size;

    if (pattern->kind == PATTERN_LITERAL)
        return json_string_is(string, pattern->text) ? FIT_YES : FIT_NO;
    size = json_string(string, decoded, sizeof(decoded));
    if (size < 0)
        return FIT_UNKNOWN;
    return pattern_match(pattern, slice_make(decoded, (size_t)size), &given_up) == PATTERN_YES
               ? FIT_YES
               : FIT_NO;
}

static enum fit claim_fits(const struct json_value *claim, struct slice value)
{
    /* A regular expression is none here: it is refused at load. */
    struct pattern pattern = {.kind = pattern_kind_of(value), .text = value};
    struct json_iterator iterator;
    struct json_value element;
    enum fit fit = FIT_NO;

    if (pattern.kind == PATTERN_REGEX)
        return FIT_UNKNOWN;
    if (claim->kind == JSON_STRING)
        return string_fits(claim, &pattern);
    if (claim->kind != JSON_ARRAY)
        return FIT_NO;
    json_iterate(&iterator, claim);
    while (fit == FIT_NO && json_next(&iterator, NULL, NULL, &element) == 1)
        if (element.kind == JSON_STRING)
            fit = string_fits(&element, &pattern);
    return fit;
}

static bool roles_add(struct slice *roles, size_t *count, struct slice role)
{
    for (size_t i = 0; i < *count; i++)
        if (slice_equal(roles[i], role))
            return true;
    if (*count == SESSION_ROLES_MAX)
        return false;
    roles[(*count)++] = role;
    return true;
}

const char *session_roles_judge(const struct auth_config_record *config, session_roles_claim find,
                                const void *context, struct slice *roles, size_t *count)
{
    struct role_mapping mapping;
    struct record_reader reader;

    *count = 0;
    if (config->role_mappings.size == 0) {
        roles_add(roles, count, slice_from(POLICY_ROLE_ACCESS));
        return NULL;
    }
    role_mappings_open(&reader, config->role_mappings);
    while (role_mappings_next(&reader, &mapping)) {
        struct json_value claim;
        enum fit fit;

        if (!find(context, mapping.claim, &claim))
            return "the roles are given by another claim now";
        fit = claim_fits(&claim, mapping.value);
        if (fit == FIT_UNKNOWN)
            return "a claim of the token is too long to give roles";
        for (size_t i = 0; i < mapping.role_count && fit == FIT_YES; i++)
            if (!roles_add(roles, count, mapping.roles[i]))
                return "the token's claims give more roles than a session may have (16)";
    }
    return NULL;
}

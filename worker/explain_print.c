#include "worker/explain_print.h"

#include <errno.h>

const char *explain_word(const struct explain_answer *answer)
{
    static const char *const words[] = {[POLICY_ALLOWED] = "allowed",
                                        [POLICY_DENIED] = "denied",
                                        [POLICY_NEEDS_SCOPE] = "needs scope",
                                        [POLICY_UNDECIDED] = "refused"};

    if (answer->unknown)
        return "unknown";
    return answer->session == NULL ? "refused" : words[answer->decision.outcome];
}

static const char *answer_reason(const struct explain_answer *answer)
{
    return answer->session == NULL ? answer->refused : answer->decision.reason;
}

static bool scope_is_there(const struct session_record *session, struct slice scope)
{
    for (size_t i = 0; i < session->scope_count; i++)
        if (slice_equal(session->scopes[i], scope))
            return true;
    return false;
}

/* What of the decision's scopes the token has not. */
static size_t scopes_missing(const struct explain_answer *answer,
                             struct slice missing[2 * POLICY_SCOPES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < answer->decision.scope_count && count < 2 * POLICY_SCOPES_MAX; i++)
        if (!scope_is_there(answer->session, answer->decision.scopes[i]))
            missing[count++] = answer->decision.scopes[i];
    return count;
}

static int json_member(struct buffer *out, const char *name, struct slice text)
{
    int error = buffer_append_format(out, ",\"%s\":", name);

    return error == 0 ? json_append_string(out, text) : error;
}

static int json_list(struct buffer *out, const char *name, const struct slice *texts, size_t count)
{
    int error = buffer_append_format(out, ",\"%s\":[", name);

    for (size_t i = 0; i < count && error == 0; i++) {
        error = i > 0 ? buffer_append(out, ",", 1) : 0;
        if (error == 0)
            error = json_append_string(out, texts[i]);
    }
    return error == 0 ? buffer_append(out, "]", 1) : error;
}

static int json_decision(const struct explain_answer *answer, struct buffer *out)
{
    const struct policy_decision *decision = &answer->decision;
    struct slice missing[2 * POLICY_SCOPES_MAX];
    int error = json_member(out, "user", answer->session->user);

    if (error == 0)
        error = json_member(out, "issuer", answer->session->issuer);
    if (error == 0)
        error = json_list(out, "roles", answer->session->roles, answer->session->role_count);
    if (error == 0 && decision->role.size > 0)
        error = json_member(out, "role", decision->role);
    if (error == 0 && decision->rule != NULL)
        error = json_member(out, "rule", decision->rule->pattern);
    if (error == 0 && decision->place.size > 0)
        error = json_member(out, "place", decision->place);
    if (error == 0 && decision->role.size > 0)
        error = json_member(out, "side", slice_from(decision->deny ? "deny" : "allow"));
    if (error == 0 && decision->outcome == POLICY_NEEDS_SCOPE)
        error = json_list(out, "scopes", decision->scopes, decision->scope_count);
    if (error == 0 && decision->outcome == POLICY_NEEDS_SCOPE)
        error = json_list(out, "missing", missing, scopes_missing(answer, missing));
    return error;
}

static int answer_json(const struct explain_answer *answer, struct buffer *out)
{
    int error = buffer_append_format(out, "{\"decision\":\"%s\"", explain_word(answer));

    if (error == 0)
        error = json_member(out, "reason", slice_from(answer_reason(answer)));
    if (error == 0)
        error = json_member(out, "app", answer->app);
    if (error == 0)
        error = json_member(out, policy_kind_name(answer->kind), answer->name);
    if (error == 0 && answer->session != NULL)
        error = json_decision(answer, out);
    return error == 0 ? buffer_append(out, "}\n", 2) : error;
}

/* Texts from outside are quoted as JSON is: a terminal acts on none of their bytes. */
static int text_list(struct buffer *out, const char *title, const struct slice *texts, size_t count)
{
    int error = buffer_append_format(out, "  %-8s", title);

    for (size_t i = 0; i < count && error == 0; i++) {
        error = i > 0 ? buffer_append(out, ", ", 2) : 0;
        if (error == 0)
            error = json_append_string(out, texts[i]);
    }
    if (error == 0 && count == 0)
        error = buffer_append_text(out, "none");
    return error == 0 ? buffer_append(out, "\n", 1) : error;
}

static int text_rule(const struct policy_decision *decision, struct buffer *out)
{
    int error = buffer_append_format(out, "  %-8s", "rule");

    if (error == 0 && decision->rule != NULL)
        error = json_append_string(out, decision->rule->pattern);
    else if (error == 0)
        error = buffer_append_text(out, "all");
    if (error == 0)
        error = buffer_append_format(out, ", %s of the role ", decision->deny ? "deny" : "allow");
    if (error == 0)
        error = json_append_string(out, decision->role);
    if (error == 0 && decision->place.size > 0)
        error =
            buffer_append_format(out, ", at %.*s", (int)decision->place.size, decision->place.data);
    return error == 0 ? buffer_append(out, "\n", 1) : error;
}

static int text_decision(const struct explain_answer *answer, struct buffer *out)
{
    const struct session_record *session = answer->session;
    const struct policy_decision *decision = &answer->decision;
    struct slice missing[2 * POLICY_SCOPES_MAX];
    int error = text_list(out, "user", &session->user, 1);

    if (error == 0)
        error = text_list(out, "issuer", &session->issuer, 1);
    if (error == 0)
        error = text_list(out, "roles", session->roles, session->role_count);
    if (error == 0 && decision->role.size > 0)
        error = text_rule(decision, out);
    if (error == 0 && decision->outcome == POLICY_NEEDS_SCOPE)
        error = text_list(out, "scopes", decision->scopes, decision->scope_count);
    if (error == 0 && decision->outcome == POLICY_NEEDS_SCOPE)
        error = text_list(out, "missing", missing, scopes_missing(answer, missing));
    return error;
}

static int answer_text(const struct explain_answer *answer, struct buffer *out)
{
    int error =
        buffer_append_format(out, "%s: %s ", explain_word(answer), policy_kind_name(answer->kind));

    if (error == 0)
        error = json_append_string(out, answer->name);
    if (error == 0)
        error = buffer_append_format(out, " of %.*s: %s\n", (int)answer->app.size, answer->app.data,
                                     answer_reason(answer));
    return error == 0 && answer->session != NULL ? text_decision(answer, out) : error;
}

int explain_print(const struct explain_answer *answer, bool json, FILE *out)
{
    struct buffer text = {0};
    int error = json ? answer_json(answer, &text) : answer_text(answer, &text);

    if (error == 0 && fwrite(buffer_data(&text), 1, buffer_size(&text), out) != buffer_size(&text))
        error = -EIO;
    buffer_free(&text);
    return error;
}

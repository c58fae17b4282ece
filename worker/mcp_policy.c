#include "worker/mcp_policy.h"

/* What judges of one message share. */
struct policy_bench {
    const struct mcp_policy *policy;
    const struct mcp_message *message;
    struct mcp_ruling *ruling;
};

static void bench_rule(struct policy_bench *bench, enum mcp_ruling_kind kind)
{
    bench->ruling->kind = kind;
}

/* The evaluator's answer; scopes cost a look into the store, and few rules need any: so it is asked
 * without them at first. They can only allow more, also where another rule's conditions leave a
 * doubt. */
static void bench_decide(struct policy_bench *bench, struct policy_query *query)
{
    const struct mcp_policy *policy = bench->policy;
    struct policy_decision *decision = &bench->ruling->decision;

    *decision = policy_judge(policy->set, query);
    if (decision->outcome != POLICY_NEEDS_SCOPE && decision->outcome != POLICY_UNDECIDED)
        return;
    if (policy->scopes(policy->context, &query->scopes, &query->scope_count) != 0) {
        bench_rule(bench, MCP_RULING_FAILED);
        return;
    }
    *decision = policy_judge(policy->set, query);
}

static void bench_judge_name(struct policy_bench *bench, enum policy_kind kind, struct slice name,
                             const struct json_value *arguments)
{
    struct policy_query query = {.kind = kind, .name = name, .arguments = arguments};

    bench_decide(bench, &query);
    if (bench->ruling->kind == MCP_RULING_FAILED)
        return;
    switch (bench->ruling->decision.outcome) {
    case POLICY_ALLOWED:
        break;
    case POLICY_DENIED:
        bench_rule(bench, MCP_RULING_DENIED);
        break;
    case POLICY_NEEDS_SCOPE:
        bench_rule(bench, MCP_RULING_SCOPE);
        break;
    case POLICY_UNDECIDED:
        bench_rule(bench, MCP_RULING_UNDECIDED);
        break;
    }
}

/* The inside of a string, decoded into `room` if it has to be. false: too long. */
static bool name_of(const struct json_value *value, char room[MCP_POLICY_NAME_MAX],
                    struct slice *out)
{
    long size;

    *out = slice_make(value->text.data + 1, value->text.size - 2);
    if (out->size > MCP_POLICY_NAME_MAX)
        return false;
    if (!value->escaped)
        return true;
    size = json_string(value, room, MCP_POLICY_NAME_MAX);
    *out = slice_make(room, size < 0 ? 0 : (size_t)size);
    return size >= 0;
}

/* `value` is a string. */
static void bench_judge(struct policy_bench *bench, enum policy_kind kind,
                        const struct json_value *value, const struct json_value *arguments)
{
    char decoded[MCP_POLICY_NAME_MAX];
    struct slice name;

    bench->ruling->thing = kind;
    bench->ruling->name = *value;
    if (name_of(value, decoded, &name)) {
        bench_judge_name(bench, kind, name, arguments);
        return;
    }
    bench_rule(bench, MCP_RULING_DENIED);
    bench->ruling->decision.outcome = POLICY_DENIED;
}

/* Conditions are on an object; what is none has no reading that they could hold for. */
static void bench_judge_call(struct policy_bench *bench)
{
    const struct json_value *arguments = &bench->message->arguments;

    if (arguments->kind == JSON_INVALID || arguments->kind == JSON_OBJECT) {
        bench_judge(bench, POLICY_TOOL, &bench->message->name,
                    arguments->kind == JSON_OBJECT ? arguments : NULL);
        return;
    }
    bench_rule(bench, MCP_RULING_UNDECIDED);
    bench->ruling->decision.outcome = POLICY_UNDECIDED;
}

static void bench_judge_listen(struct policy_bench *bench)
{
    struct json_iterator iterator;
    struct json_value uri;

    if (bench->message->subscriptions.kind != JSON_ARRAY)
        return;
    json_iterate(&iterator, &bench->message->subscriptions);
    while (bench->ruling->kind == MCP_RULING_PASS && json_next(&iterator, NULL, NULL, &uri) == 1)
        bench_judge(bench, POLICY_RESOURCE, &uri, NULL);
}

static enum policy_kind message_kind(const struct mcp_message *message)
{
    if (message->known->target != MCP_TARGET_REF)
        return message->known->kind;
    return json_string_is(&message->ref_type, slice_from("ref/prompt")) ? POLICY_PROMPT
                                                                        : POLICY_RESOURCE;
}

void mcp_policy_judge(const struct mcp_policy *policy, const struct mcp_message *message,
                      struct mcp_ruling *out)
{
    struct policy_bench bench = {.policy = policy, .message = message, .ruling = out};
    enum policy_kind kind;

    *out = (struct mcp_ruling){.kind = MCP_RULING_PASS};
    if (!policy_set_admits(policy->set)) {
        bench_rule(&bench, MCP_RULING_SHUT);
        out->decision.outcome = POLICY_DENIED;
        return;
    }
    if (message->known == NULL || !message->known->judged)
        return;
    kind = message_kind(message);
    if (policy_set_is_open(policy->set, kind))
        return;
    switch (message->known->target) {
    case MCP_TARGET_NAME:
        if (kind == POLICY_TOOL)
            bench_judge_call(&bench);
        else
            bench_judge(&bench, kind, &message->name, NULL);
        break;
    case MCP_TARGET_URI:
        bench_judge(&bench, kind, &message->uri, NULL);
        break;
    case MCP_TARGET_REF:
        bench_judge(&bench, kind, kind == POLICY_PROMPT ? &message->ref_name : &message->ref_uri,
                    NULL);
        break;
    case MCP_TARGET_LISTEN:
        bench_judge_listen(&bench);
        break;
    case MCP_TARGET_NONE:
    case MCP_TARGET_TASK:
    case MCP_TARGET_REQUEST:
        break;
    }
}

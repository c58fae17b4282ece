#include "shared/policy.h"

#include "shared/policy_set.h"

_Static_assert(POLICY_POINTERS_KEPT <= 32, "what is known of the pointers is one 32-bit word");

/* What is judged, and what judging it has cost. */
struct judge {
    const struct policy_set *set;
    const struct policy_query *query;
    struct slice name, folded; /* folded: of resources */
    struct slice bare;         /* folded, without query and fragment */
    unsigned given_up;
    size_t walked;  /* bytes of arguments that were looked through */
    uint32_t known; /* a bit for each of found */
    struct {
        enum json_pointer_answer answer;
        struct json_value value;
    } found[POLICY_POINTERS_KEPT];
    char room[PATTERN_SUBJECT_MAX];
};

/* Bytes of arguments that one judgement looks through at most: a body's limit many times over. */
static const size_t judge_walk_max = (size_t)256 * 1024 * 1024;

static struct policy_decision decision_none(enum policy_outcome outcome, const char *reason)
{
    return (struct policy_decision){.outcome = outcome, .reason = reason};
}

static struct policy_decision decision_of(enum policy_outcome outcome, const struct set_rule *rule,
                                          const char *reason)
{
    return (struct policy_decision){.outcome = outcome,
                                    .rule = rule->source,
                                    .role = rule->side->record.role,
                                    .place = rule->source->place,
                                    .deny = rule->side->record.deny,
                                    .reason = reason};
}

/* False: the name is not to be judged by rules. */
static bool judge_begin(struct judge *judge, const struct policy_set *set,
                        const struct policy_query *query)
{
    judge->set = set;
    judge->query = query;
    judge->name = query->name;
    judge->given_up = 0;
    judge->walked = 0;
    judge->known = 0;
    if (query->kind != POLICY_RESOURCE)
        return true;
    if (query->name.size > sizeof(judge->room) || !resource_name_is_plain(query->name))
        return false;
    judge->folded = slice_make(judge->room, resource_name_fold(query->name, judge->room));
    judge->bare = judge->folded;
    for (size_t i = 0; i < judge->folded.size; i++) {
        if (judge->room[i] == '?' || judge->room[i] == '#') {
            judge->bare.size = i;
            break;
        }
    }
    return true;
}

/* Whether a rule's pattern is for the name. */
static bool judge_names(struct judge *judge, const struct set_rule *rule)
{
    bool deny = rule->side->record.deny;
    enum pattern_answer answer = pattern_match(&rule->pattern, judge->name, &judge->given_up);

    if (answer == PATTERN_NO && rule->folds)
        answer = pattern_match(&rule->folded, judge->folded, &judge->given_up);
    if (answer == PATTERN_NO && rule->folds && judge->bare.size < judge->folded.size)
        answer = pattern_match(&rule->folded, judge->bare, &judge->given_up);
    return answer == PATTERN_YES || (deny && answer == PATTERN_GAVE_UP);
}

/* Rules whose name fits, one after the other. */
struct rule_walk {
    const struct set_list *list;
    size_t literal, other;
};

/* The first of the literals that are no less than the name. */
static size_t literal_position(const struct set_list *list, struct slice name)
{
    size_t low = 0;
    size_t high = list->literal_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slice_compare(list->literals[middle]->pattern.text, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct rule_walk walk_begin(const struct judge *judge, bool deny)
{
    const struct set_list *list = &judge->set->lists[deny][judge->query->kind];

    return (struct rule_walk){.list = list, .literal = literal_position(list, judge->name)};
}

static const struct set_rule *walk_next(struct rule_walk *walk, struct judge *judge)
{
    const struct set_list *list = walk->list;

    if (walk->literal < list->literal_count) {
        const struct set_rule *rule = list->literals[walk->literal];

        if (slice_equal(rule->pattern.text, judge->name)) {
            walk->literal++;
            return rule;
        }
        walk->literal = list->literal_count;
    }
    while (walk->other < list->other_count) {
        const struct set_rule *rule = list->others[walk->other++];

        if (judge_names(judge, rule))
            return rule;
    }
    return NULL;
}

static enum json_pointer_answer judge_walk(struct judge *judge, const struct condition *condition,
                                           struct json_value *value)
{
    const struct json_value *arguments = judge->query->arguments;

    if (arguments == NULL)
        return JSON_POINTER_ABSENT;
    if (arguments->kind != JSON_OBJECT || arguments->text.size > judge_walk_max - judge->walked)
        return JSON_POINTER_DOUBT;
    judge->walked += arguments->text.size;
    return json_pointer_find(&condition->pointer, arguments, value);
}

static enum json_pointer_answer judge_find(struct judge *judge, const struct condition *condition,
                                           struct json_value *value)
{
    size_t index = condition->pointer_index;

    if (index >= POLICY_POINTERS_KEPT)
        return judge_walk(judge, condition, value);
    if ((judge->known & UINT32_C(1) << index) == 0) {
        judge->found[index].answer = judge_walk(judge, condition, &judge->found[index].value);
        judge->known |= UINT32_C(1) << index;
    }
    *value = judge->found[index].value;
    return judge->found[index].answer;
}

enum fit { FIT_NO, FIT_YES, FIT_DOUBT };

/* Whether all conditions of a rule hold. One that fails for sure outweighs a doubt. */
static enum fit judge_conditions(struct judge *judge, const struct set_rule *rule)
{
    enum fit fit = FIT_YES;

    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct condition *condition = &rule->conditions[i];
        struct json_value value = {.kind = JSON_INVALID};
        enum json_pointer_answer answer = judge_find(judge, condition, &value);

        if (answer == JSON_POINTER_DOUBT)
            fit = FIT_DOUBT;
        else if (!condition_holds(condition, answer, &value, rule->side->record.deny,
                                  &judge->given_up))
            return FIT_NO;
    }
    return fit;
}

static bool scopes_suffice(const struct policy_query *query, const struct set_rule *rule)
{
    for (size_t i = 0; i < rule->need_count; i++) {
        size_t at = 0;

        while (at < query->scope_count && !slice_equal(query->scopes[at], rule->needs[i]))
            at++;
        if (at == query->scope_count)
            return false;
    }
    return true;
}

static const char doubt[] = "the arguments cannot be judged without doubt";

/* POLICY_ALLOWED stands for: nothing forbids it. */
static struct policy_decision judge_denials(struct judge *judge)
{
    struct policy_decision decision = decision_none(POLICY_ALLOWED, "");
    struct rule_walk walk = walk_begin(judge, true);
    const struct set_rule *rule;

    while ((rule = walk_next(&walk, judge)) != NULL) {
        enum fit fit = judge_conditions(judge, rule);

        if (fit == FIT_YES)
            return decision_of(POLICY_DENIED, rule, "a rule forbids it");
        if (fit == FIT_DOUBT && decision.rule == NULL)
            decision = decision_of(POLICY_UNDECIDED, rule, doubt);
    }
    return decision;
}

static struct policy_decision decision_needs(const struct set_rule *rule)
{
    struct policy_decision decision =
        decision_of(POLICY_NEEDS_SCOPE, rule, "the token lacks a scope");

    decision.scopes = rule->needs;
    decision.scope_count = rule->need_count;
    return decision;
}

/* A rule that needs no scope comes before those that do, so that the same rule is named whether or
 * not the scopes are known. */
static struct policy_decision judge_permissions(struct judge *judge)
{
    struct policy_decision decision = decision_none(POLICY_DENIED, "no rule allows it");
    struct rule_walk walk = walk_begin(judge, false);
    const struct set_rule *rule;

    while ((rule = walk_next(&walk, judge)) != NULL) {
        enum fit fit = judge_conditions(judge, rule);

        if (fit == FIT_YES && rule->need_count == 0)
            return decision_of(POLICY_ALLOWED, rule, "a rule allows it");
        if (fit == FIT_NO || decision.outcome == POLICY_ALLOWED)
            continue;
        if (fit == FIT_DOUBT)
            decision = decision_of(POLICY_UNDECIDED, rule, doubt);
        else if (scopes_suffice(judge->query, rule))
            decision = decision_of(POLICY_ALLOWED, rule, "a rule allows it");
        else if (decision.outcome == POLICY_DENIED)
            decision = decision_needs(rule);
    }
    return decision;
}

static struct policy_decision decision_shut(const struct policy_set *set)
{
    struct policy_decision decision = decision_none(POLICY_DENIED, "no role allows the app");

    if (set->whole == NULL)
        return decision;
    decision.role = set->whole->record.role;
    decision.place = set->whole->record.place;
    decision.deny = true;
    decision.reason = "a role forbids the app";
    return decision;
}

struct policy_decision policy_judge(const struct policy_set *set, const struct policy_query *query)
{
    struct policy_decision decision;
    struct judge judge;

    if (!policy_set_admits(set))
        return decision_shut(set);
    if (set->open[query->kind] != NULL)
        return decision_of(POLICY_ALLOWED, set->open[query->kind], "a rule allows it");
    if (policy_set_is_open(set, query->kind)) {
        decision = decision_none(POLICY_ALLOWED, "the built-in role allows it");
        decision.role = slice_from(POLICY_ROLE_ACCESS);
        return decision;
    }
    if (!judge_begin(&judge, set, query))
        return decision_none(POLICY_DENIED, "the URI may name another resource than it says");
    decision = judge_denials(&judge);
    return decision.outcome == POLICY_ALLOWED ? judge_permissions(&judge) : decision;
}

/* Whether a rule forbids the name whatever its arguments. */
static bool judge_hides(struct judge *judge)
{
    struct rule_walk walk = walk_begin(judge, true);
    const struct set_rule *rule;

    while ((rule = walk_next(&walk, judge)) != NULL)
        if (rule->condition_count == 0)
            return true;
    return false;
}

static bool judge_shows(struct judge *judge)
{
    struct rule_walk walk = walk_begin(judge, false);

    return walk_next(&walk, judge) != NULL;
}

bool policy_lists(const struct policy_set *set, enum policy_kind kind, struct slice name)
{
    struct policy_query query = {.kind = kind, .name = name};
    struct judge judge;

    if (!policy_set_admits(set))
        return false;
    if (policy_set_is_open(set, kind))
        return true;
    return judge_begin(&judge, set, &query) && !judge_hides(&judge) && judge_shows(&judge);
}

/* Whether a name that begins so could be one that a glob names. */
static bool glob_agrees(const struct pattern *pattern, struct slice begin)
{
    const char *star = memchr(pattern->text.data, '*', pattern->text.size);
    struct slice head = slice_make(pattern->text.data, (size_t)(star - pattern->text.data));

    return slice_has_prefix(begin, head) || slice_has_prefix(head, begin);
}

/* Whether an allow rule could name what begins so. */
static bool list_agrees(const struct set_list *list, struct slice begin)
{
    size_t at = literal_position(list, begin);

    if (at < list->literal_count && slice_has_prefix(list->literals[at]->pattern.text, begin))
        return true;
    for (size_t i = 0; i < list->other_count; i++) {
        const struct pattern *pattern = &list->others[i]->pattern;

        if (pattern->kind == PATTERN_ANY ||
            (pattern->kind == PATTERN_GLOB && glob_agrees(pattern, begin)))
            return true;
    }
    return false;
}

bool policy_lists_template(const struct policy_set *set, struct slice template)
{
    struct policy_query query = {.kind = POLICY_RESOURCE, .name = template};
    const char *brace = template.size == 0 ? NULL : memchr(template.data, '{', template.size);
    struct judge judge;

    if (!policy_set_admits(set))
        return false;
    if (policy_set_is_open(set, POLICY_RESOURCE))
        return true;
    if (!judge_begin(&judge, set, &query) || judge_hides(&judge))
        return false;
    return judge_shows(&judge) ||
           (brace != NULL &&
            list_agrees(&set->lists[false][POLICY_RESOURCE],
                        slice_make(template.data, (size_t)(brace - template.data))));
}

#include "shared/label.h"

static bool label_value_matches(const struct label_selector *selector, struct slice value)
{
    for (size_t i = 0; i < selector->value_count; i++)
        if (slice_is(selector->values[i], "*") || slice_equal(selector->values[i], value))
            return true;
    return false;
}

/* `*` as the name goes with the value `*` only: with any other it matches nothing. */
static bool selector_is_any(const struct label_selector *selector)
{
    return slice_is(selector->name, "*") && selector->value_count == 1 &&
           slice_is(selector->values[0], "*");
}

static bool selector_matches(const struct label_selector *selector, const struct label *labels,
                             size_t label_count)
{
    if (slice_is(selector->name, "*"))
        return selector_is_any(selector);
    for (size_t i = 0; i < label_count; i++)
        if (slice_equal(selector->name, labels[i].name) &&
            label_value_matches(selector, labels[i].value))
            return true;
    return false;
}

bool label_matches(const struct label_selector *selectors, size_t selector_count,
                   const struct label *labels, size_t label_count)
{
    for (size_t i = 0; i < selector_count; i++)
        if (!selector_matches(&selectors[i], labels, label_count))
            return false;
    return selector_count > 0;
}

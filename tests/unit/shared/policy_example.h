/* policy_example.h: slices and rules of a policy as initialisers. For tests of what policies do. */
#ifndef GATEHOUSE_TESTS_UNIT_SHARED_POLICY_EXAMPLE_H
#define GATEHOUSE_TESTS_UNIT_SHARED_POLICY_EXAMPLE_H

#include "shared/policy.h"

#define TEXT(text)               \
    {                            \
        (text), sizeof(text) - 1 \
    }
#define RULE(of, text)                                              \
    {                                                               \
        .kind = (of), .pattern = TEXT(text), .place = TEXT("f:1:1") \
    }

#endif

/* record_cuts.h: what every record's decoder must refuse. For tests of records. */
#ifndef GATEHOUSE_TESTS_UNIT_SHARED_RECORD_CUTS_H
#define GATEHOUSE_TESTS_UNIT_SHARED_RECORD_CUTS_H

#include "shared/buffer.h"

#include <errno.h>
#include <stdlib.h>

/* Every proper beginning of a record, another version and a byte too many are -EBADMSG. Each is a
 * copy of exactly its size, so that a sanitizer sees a read past the end. */
static inline void expect_cuts_refused(struct slice record, int (*decode)(struct slice bytes))
{
    char *copy;

    for (size_t size = 0; size < record.size; size++) {
        copy = malloc(size > 0 ? size : 1);
        assert_non_null(copy);
        memcpy(copy, record.data, size);
        assert_int_equal(decode(slice_make(copy, size)), -EBADMSG);
        free(copy);
    }
    copy = malloc(record.size + 1);
    assert_non_null(copy);
    memcpy(copy, record.data, record.size);
    copy[record.size] = ' ';
    assert_int_equal(decode(slice_make(copy, record.size)), 0);
    assert_int_equal(decode(slice_make(copy, record.size + 1)), -EBADMSG);
    copy[0] = '9';
    assert_int_equal(decode(slice_make(copy, record.size)), -EBADMSG);
    free(copy);
}

#endif

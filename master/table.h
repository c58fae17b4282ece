/* table.h: rows of text in aligned columns, for a terminal.
 *
 * Used by the commands that look at the store. What stands in a store came from outside: bytes
 * that a terminal would act on, or that reorder its text, are shown as \xNN. Width counts
 * characters, not cells of wide ones. Never used by a process of the service.
 */
#ifndef GATEHOUSE_MASTER_TABLE_H
#define GATEHOUSE_MASTER_TABLE_H

#include "shared/arena.h"
#include "shared/buffer.h"

#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12, TABLE_COLUMN_MIN = 8 /* a column is not cut below this width */ };

struct table_cell {
    struct slice text; /* the arena's */
    size_t width;      /* characters */
};

struct table {
    const char *const *headings; /* borrowed; NULL: no line of headings */
    size_t columns;
    struct arena arena;
    struct table_cell *cells; /* owned; row after row */
    size_t count, capacity;
    int error; /* the first -ENOMEM, given by table_print */
};

/* `columns` at most TABLE_COLUMNS_MAX. */
void table_begin(struct table *table, const char *const *headings, size_t columns);

/* The next cell of the row, and after the last one of the next row. */
void table_cell(struct table *table, struct slice text);
void table_cell_format(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Empty cells up to the row's end. */
void table_row_end(struct table *table);

/* Prints, cutting the widest columns with an ellipsis until a line has `width` characters (0: no
 * limit), and frees. 0, -ENOMEM or -EIO. */
int table_print(struct table *table, FILE *out, size_t width);

/* Appends text with what a terminal would act on escaped. 0 or -ENOMEM. */
int table_escape(struct buffer *out, struct slice text);

#endif

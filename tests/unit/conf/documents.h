/* documents.h: one text of documents, read. For the tests of conf/. */
#ifndef GATEHOUSE_TESTS_CONF_DOCUMENTS_H
#define GATEHOUSE_TESTS_CONF_DOCUMENTS_H

#include "conf/document.h"

#include "tests/unit/conf/expect.h"

static struct document_list documents;
static struct diagnostics diagnostics;

static inline void read_more(const char *text, const char *file)
{
    documents_read_text(slice_from(text), slice_from(file), &documents, &diagnostics);
}

/* Whatever a failed test left does not count. */
static inline void read_documents(const char *text)
{
    documents = (struct document_list){0};
    diagnostics = (struct diagnostics){0};
    read_more(text, "/r/f.yaml");
}

/* The diagnostics are exactly `text`; everything is freed. */
static inline void finish(const char *text)
{
    expect_diagnostics(&diagnostics, text);
    document_list_free(&documents);
}

/* Something was refused, and a diagnostic says `text`; everything is freed. */
static inline void finish_mention(const char *text)
{
    assert_true(diagnostics.errors > 0);
    expect_mention(&diagnostics, text);
    diagnostics_free(&diagnostics);
    document_list_free(&documents);
}

#endif

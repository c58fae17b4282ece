#include "conf/text_file.h"

#include "conf/document.h"
#include "tests/unit/conf/expect.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int file_of(size_t size)
{
    int fd = memfd_create("text", 0);

    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static void test_whole(void **state)
{
    struct buffer text = {0};
    int fd = file_of(DOCUMENT_FILE_MAX);

    (void)state;
    assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
    assert_int_equal(text_file_read(fd, &text), 0);
    assert_int_equal(buffer_size(&text), DOCUMENT_FILE_MAX);
    assert_memory_equal(buffer_data(&text), "begin", 5);
    buffer_free(&text);
    close(fd);
}

static void test_too_large(void **state)
{
    struct buffer text = {0};
    int fd = file_of(DOCUMENT_FILE_MAX + 1);

    (void)state;
    assert_int_equal(text_file_read(fd, &text), -EFBIG);
    assert_string_equal(text_file_reason(-EFBIG), "is larger than 16 MiB");
    buffer_free(&text);
    close(fd);
}

static void test_no_regular_file(void **state)
{
    struct buffer text = {0};
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(text_file_read(fds[0], &text), -EINVAL);
    assert_int_equal(text_file_read(-1, &text), -EBADF);
    assert_string_equal(text_file_reason(-EINVAL), "is not a regular file");
    assert_string_equal(text_file_reason(-EACCES), "cannot be read: Permission denied");
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_no_regular_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

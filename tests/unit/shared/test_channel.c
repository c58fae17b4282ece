#include "shared/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static const struct slice nothing = {NULL, 0};

struct raw_header {
    uint16_t version, type;
    uint32_t size;
};

static int open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static int make_pair(void **state)
{
    int *fds = malloc(2 * sizeof(int));

    if (fds == NULL || channel_pair(fds) != 0)
        return -1;
    *state = fds;
    return 0;
}

static int close_pair(void **state)
{
    int *fds = *state;

    close(fds[0]);
    if (fds[1] >= 0)
        close(fds[1]);
    free(fds);
    return 0;
}

/* A packet as a hostile peer would write it, with `fd_count` copies of standard input. */
static void send_raw(int fd, struct raw_header header, size_t size, size_t fd_count)
{
    static char payload[CHANNEL_PAYLOAD_MAX + 100];
    struct iovec parts[2] = {{&header, sizeof(header)}, {payload, size}};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 8)];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = 2};

    if (fd_count > 0) {
        packet.msg_control = control.bytes;
        packet.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        control.align.cmsg_level = SOL_SOCKET;
        control.align.cmsg_type = SCM_RIGHTS;
        control.align.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        for (size_t i = 0; i < fd_count; i++)
            memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &fd, sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &packet, 0), sizeof(header) + size);
}

static void test_pair_is_close_on_exec_and_non_blocking(void **state)
{
    int *fds = *state;

    for (int i = 0; i < 2; i++) {
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
    }
}

static void test_payload_arrives(void **state)
{
    int *fds = *state;
    struct message message;

    assert_int_equal(channel_receive(fds[1], &message), 0);
    assert_int_equal(channel_send(fds[0], MESSAGE_KEY_WANTED, slice_from("idp"), NULL, 0), 0);
    assert_int_equal(channel_send(fds[0], MESSAGE_READY, nothing, NULL, 0), 0);
    assert_int_equal(channel_receive(fds[1], &message), 1);
    assert_int_equal(message.type, MESSAGE_KEY_WANTED);
    assert_true(slice_is(message.payload, "idp"));
    assert_int_equal(channel_receive(fds[1], &message), 1);
    assert_int_equal(message.type, MESSAGE_READY);
    assert_int_equal(message.payload.size, 0);
    assert_int_equal(channel_receive(fds[1], &message), 0);
}

static void test_largest_payload_arrives_and_larger_is_refused(void **state)
{
    static char bytes[CHANNEL_PAYLOAD_MAX + 1];
    int *fds = *state;
    struct message message;

    memset(bytes, 'x', sizeof(bytes));
    assert_int_equal(
        channel_send(fds[0], MESSAGE_SETTINGS, slice_make(bytes, sizeof(bytes)), NULL, 0),
        -EMSGSIZE);
    assert_int_equal(
        channel_send(fds[0], MESSAGE_SETTINGS, slice_make(bytes, CHANNEL_PAYLOAD_MAX), NULL, 0), 0);
    assert_int_equal(channel_receive(fds[1], &message), 1);
    assert_true(slice_equal(message.payload, slice_make(bytes, CHANNEL_PAYLOAD_MAX)));
}

static void test_descriptors_arrive_close_on_exec(void **state)
{
    int *fds = *state, sent[2], before;
    uint32_t index = 3;
    struct message message;

    assert_int_equal(pipe(sent), 0);
    before = open_descriptors();
    assert_int_equal(channel_send(fds[0], MESSAGE_CERTIFICATE,
                                  slice_make((char *)&index, sizeof(index)), sent, 2),
                     0);
    assert_int_equal(channel_receive(fds[1], &message), 1);
    assert_int_equal(message.fd_count, 2);
    assert_true(fcntl(message.fds[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(message.fds[1], "!", 1), 1);
    close(message.fds[0]);
    message.fds[0] = -1;
    message_close(&message);
    assert_int_equal(open_descriptors(), before);
    close(sent[0]);
    close(sent[1]);
}

static void expect_refused(void **state, struct raw_header header, size_t size, size_t fd_count)
{
    int *fds = *state, before = open_descriptors();
    struct message message;

    send_raw(fds[0], header, size, fd_count);
    assert_int_equal(channel_receive(fds[1], &message), -EBADMSG);
    assert_int_equal(message.fd_count, 0);
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(channel_receive(fds[1], &message), 0);
}

static void test_broken_forms_are_refused_and_leak_nothing(void **state)
{
    const uint16_t version = 4;

    expect_refused(state, (struct raw_header){version + 1, MESSAGE_READY, 0}, 0, 0);
    expect_refused(state, (struct raw_header){version, 0, 0}, 0, 0);
    expect_refused(state, (struct raw_header){version, MESSAGE_TYPES, 0}, 0, 0);
    expect_refused(state, (struct raw_header){version, 65535, 0}, 0, 0);
    expect_refused(state, (struct raw_header){version, MESSAGE_READY, 1}, 1, 0);
    expect_refused(state, (struct raw_header){version, MESSAGE_SETTINGS, 0}, 0, 0);
    expect_refused(state, (struct raw_header){version, MESSAGE_SETTINGS, 5}, 4, 0);
    expect_refused(state, (struct raw_header){version, MESSAGE_SETTINGS, 4}, 5, 0);
    expect_refused(state, (struct raw_header){version, MESSAGE_UNLISTEN, 7}, 7, 0);
    expect_refused(state, (struct raw_header){version, MESSAGE_LISTENER, 8}, 8, 0);
    expect_refused(state, (struct raw_header){version, MESSAGE_LISTENER, 8}, 8, 2);
    expect_refused(state, (struct raw_header){version, MESSAGE_SERVER_STARTED, 16}, 16, 2);
    expect_refused(state, (struct raw_header){version, MESSAGE_SERVER_START, 71}, 71, 0);
    expect_refused(state, (struct raw_header){version, MESSAGE_READY, 0}, 0, 1);
    expect_refused(state, (struct raw_header){version, MESSAGE_READY, 0}, 0, 8);
    expect_refused(state, (struct raw_header){version, MESSAGE_SETTINGS, CHANNEL_PAYLOAD_MAX + 1},
                   CHANNEL_PAYLOAD_MAX + 1, 0);
    expect_refused(state, (struct raw_header){version, MESSAGE_SETTINGS, CHANNEL_PAYLOAD_MAX + 99},
                   CHANNEL_PAYLOAD_MAX + 99, 4);
}

static void test_less_than_a_header_is_refused(void **state)
{
    int *fds = *state;
    struct message message;

    assert_int_equal(send(fds[0], "\1\0", 2, 0), 2);
    assert_int_equal(channel_receive(fds[1], &message), -EBADMSG);
}

static void test_end_of_file_is_told_after_the_last_message(void **state)
{
    int *fds = *state;
    struct message message;

    assert_int_equal(channel_send(fds[1], MESSAGE_READY, nothing, NULL, 0), 0);
    close(fds[1]);
    fds[1] = -1;
    assert_int_equal(channel_receive(fds[0], &message), 1);
    assert_int_equal(channel_receive(fds[0], &message), -EPIPE);
    assert_int_equal(channel_send(fds[0], MESSAGE_DRAIN, nothing, NULL, 0), -EPIPE);
}

static void test_a_peer_that_does_not_read_is_told(void **state)
{
    int *fds = *state, error = 0;

    for (int i = 0; i < 100000 && error == 0; i++)
        error = channel_send(fds[0], MESSAGE_CHANGED, nothing, NULL, 0);
    assert_int_equal(error, -EAGAIN);
}

#define CHANNEL_TEST(name) cmocka_unit_test_setup_teardown(name, make_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHANNEL_TEST(test_pair_is_close_on_exec_and_non_blocking),
        CHANNEL_TEST(test_payload_arrives),
        CHANNEL_TEST(test_largest_payload_arrives_and_larger_is_refused),
        CHANNEL_TEST(test_descriptors_arrive_close_on_exec),
        CHANNEL_TEST(test_broken_forms_are_refused_and_leak_nothing),
        CHANNEL_TEST(test_less_than_a_header_is_refused),
        CHANNEL_TEST(test_end_of_file_is_told_after_the_last_message),
        CHANNEL_TEST(test_a_peer_that_does_not_read_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

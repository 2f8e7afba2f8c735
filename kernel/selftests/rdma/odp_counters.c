// SPDX-License-Identifier: GPL-2.0
#include <linux/netlink.h>
#include <rdma/rdma_netlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ktap.h"
#include "odp_counters.h"

#define RECEIVE_BYTES	32768
#define TIMEOUT_S	10

struct search {
	const char *name;
	bool named;	/* the entry we are in is that of @name */
	bool found;
	uint64_t sum;
};

static void search_attrs(struct search *search, const char *data, size_t length)
{
	while (length >= NLA_HDRLEN) {
		const struct nlattr *attr = (const void *)data;
		const char *payload = data + NLA_HDRLEN;
		size_t step = NLA_ALIGN(attr->nla_len);
		size_t bytes = attr->nla_len - NLA_HDRLEN;
		uint64_t value;

		if (attr->nla_len < NLA_HDRLEN || attr->nla_len > length)
			return;
		switch (attr->nla_type & NLA_TYPE_MASK) {
		case RDMA_NLDEV_ATTR_RES_MR:
		case RDMA_NLDEV_ATTR_RES_MR_ENTRY:
		case RDMA_NLDEV_ATTR_STAT_HWCOUNTERS:
		case RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY:
			search_attrs(search, payload, bytes);
			break;
		case RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_NAME:
			search->named = !strncmp(payload, search->name, bytes);
			break;
		case RDMA_NLDEV_ATTR_STAT_HWCOUNTER_ENTRY_VALUE:
			if (!search->named || bytes < sizeof(value))
				break;
			memcpy(&value, payload, sizeof(value));
			search->sum += value;
			search->found = true;
		}
		if (step > length)
			return;
		data += step;
		length -= step;
	}
}

/* Returns whether there is more to come. */
static bool search_messages(struct search *search, const char *data,
			    size_t length)
{
	const struct nlmsghdr *message = (const void *)data;

	for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
		if (message->nlmsg_type == NLMSG_DONE ||
		    message->nlmsg_type == NLMSG_ERROR)
			return false;
		search_attrs(search, NLMSG_DATA(message),
			     NLMSG_PAYLOAD(message, 0));
	}
	return true;
}

bool odp_counter(struct ibv_context *context, const char *name,
		 uint64_t *value)
{
	static char buffer[RECEIVE_BYTES];
	struct {
		struct nlmsghdr header;
		struct nlattr index_attr;
		uint32_t index;
		struct nlattr res_attr;
		uint32_t res;
	} request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV,
						       RDMA_NLDEV_CMD_STAT_GET),
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.index_attr = { NLA_HDRLEN + 4, RDMA_NLDEV_ATTR_DEV_INDEX },
		.index = ibv_get_device_index(context->device),
		.res_attr = { NLA_HDRLEN + 4, RDMA_NLDEV_ATTR_STAT_RES },
		.res = RDMA_NLDEV_ATTR_RES_MR,
	};
	struct timeval timeout = { .tv_sec = TIMEOUT_S };
	struct search search = { .name = name };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_RDMA);
	ssize_t n;

	REQUIRE(fd >= 0, "netlink socket: %m");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	REQUIRE(send(fd, &request, sizeof(request), 0) == sizeof(request),
		"netlink request: %m");
	do {
		n = recv(fd, buffer, sizeof(buffer), 0);
		REQUIRE(n >= 0, "netlink answer: %m");
	} while (search_messages(&search, buffer, n));
	close(fd);
	*value = search.sum;
	return search.found;
}

// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <rdma/rdma_netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rxe_link.h"

#define DUMMY_NAME	"peerlab_dummy"
#define DUMMY_ADDRESS	"192.0.2.1"	/* of TEST-NET-1, which is nobody's */
#define DUMMY_MTU	9000		/* lets RDMA have 4096 */
#define REASON_BYTES	160

static char reason[REASON_BYTES];

struct request {
	struct nlmsghdr header;
	uint8_t payload[512];
};

static void request_init(struct request *request, int type, int flags,
			 const void *fixed, size_t length)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	request->header.nlmsg_len = NLMSG_LENGTH(length);
	if (length)
		memcpy(request->payload, fixed, length);
}

static struct nlattr *request_add(struct request *request, int type,
				  const void *data, size_t length)
{
	struct nlattr *attr = (void *)((char *)request +
				       NLMSG_ALIGN(request->header.nlmsg_len));

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + length;
	if (length)
		memcpy((char *)attr + NLA_HDRLEN, data, length);
	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) +
				    NLA_ALIGN(attr->nla_len);
	return attr;
}

static void request_add_string(struct request *request, int type,
			       const char *text)
{
	request_add(request, type, text, strlen(text) + 1);
}

/* Returns 0 or a negative errno, the kernel's if it is its answer. */
static int request_send(struct request *request, int family)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		uint8_t rest[1024];
	} reply;
	struct timeval timeout = { .tv_sec = 10 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
	int ret;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	ret = send(fd, request, request->header.nlmsg_len, 0);
	if (ret >= 0)
		ret = recv(fd, &reply, sizeof(reply), 0);
	if (ret < 0)
		ret = -errno;
	else if (ret < (int)(sizeof(reply.header) + sizeof(reply.error)) ||
		 reply.header.nlmsg_type != NLMSG_ERROR)
		ret = -EPROTO;
	else
		ret = reply.error.error;
	close(fd);
	return ret;
}

static int dummy_create(void)
{
	struct ifinfomsg link = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	uint32_t mtu = DUMMY_MTU;
	struct request request;
	struct nlattr *nest;

	request_init(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link,
		     sizeof(link));
	request_add_string(&request, IFLA_IFNAME, DUMMY_NAME);
	request_add(&request, IFLA_MTU, &mtu, sizeof(mtu));
	nest = request_add(&request, IFLA_LINKINFO, NULL, 0);
	request_add_string(&request, IFLA_INFO_KIND, "dummy");
	nest->nla_len = (char *)&request + request.header.nlmsg_len -
			(char *)nest;
	return request_send(&request, NETLINK_ROUTE);
}

static int link_address(const char *link, const char *text, int prefix)
{
	struct ifaddrmsg address = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = prefix,
		.ifa_index = if_nametoindex(link),
	};
	struct request request;
	struct in_addr ip;

	if (inet_pton(AF_INET, text, &ip) != 1)
		return -EINVAL;
	request_init(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE,
		     &address, sizeof(address));
	request_add(&request, IFA_LOCAL, &ip, sizeof(ip));
	request_add(&request, IFA_ADDRESS, &ip, sizeof(ip));
	return request_send(&request, NETLINK_ROUTE);
}

static int dummy_address(void)
{
	return link_address(DUMMY_NAME, DUMMY_ADDRESS, 32);
}

/* A network device of the machine, which is used instead of one of our own. */
static const char *own_link;
static char own_address[INET_ADDRSTRLEN];
static int own_prefix;

static int own_link_address(void)
{
	return own_prefix ? link_address(own_link, own_address, own_prefix) : 0;
}

void rxe_link_address_again(void)
{
	if (own_link)
		own_link_address();
	else
		dummy_address();
}

static int link_up(const char *link)
{
	struct ifinfomsg info = {
		.ifi_index = if_nametoindex(link),
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};
	struct request request;

	if (!info.ifi_index)
		return -ENODEV;
	request_init(&request, RTM_NEWLINK, 0, &info, sizeof(info));
	return request_send(&request, NETLINK_ROUTE);
}

static int rxe_create(const char *link)
{
	struct request request;

	request_init(&request,
		     RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_NEWLINK),
		     0, NULL, 0);
	request_add_string(&request, RDMA_NLDEV_ATTR_DEV_NAME, RXE_NAME);
	request_add_string(&request, RDMA_NLDEV_ATTR_LINK_TYPE, "rxe");
	request_add_string(&request, RDMA_NLDEV_ATTR_NDEV_NAME, link);
	return request_send(&request, NETLINK_RDMA);
}

void rxe_link_remove(void)
{
	struct ifinfomsg link = { .ifi_index = if_nametoindex(DUMMY_NAME) };
	struct request request;

	if (!link.ifi_index)
		return;
	/* The RDMA device goes with its network device. */
	request_init(&request, RTM_DELLINK, 0, &link, sizeof(link));
	request_send(&request, NETLINK_ROUTE);
}

const char *rxe_link_create(void)
{
	const char *what = "no dummy network device (CONFIG_DUMMY)";
	int ret;

	rxe_link_remove();
	ret = dummy_create();
	if (!ret) {
		what = "no address for the dummy network device";
		ret = dummy_address();
	}
	if (!ret) {
		what = "no software RDMA device (CONFIG_RDMA_RXE)";
		ret = rxe_create(DUMMY_NAME);
	}
	if (!ret)
		return NULL;
	rxe_link_remove();
	snprintf(reason, sizeof(reason), "%s: %s", what, strerror(-ret));
	return reason;
}

const char *rxe_link_create_on(const char *link, const char *address)
{
	const char *what = "no such network device";
	int ret;

	own_link = link;
	if (address && sscanf(address, "%15[0-9.]/%d", own_address,
			      &own_prefix) != 2)
		return "PEERLAB_LINK_ADDRESS is not of the form 10.77.0.1/24";
	ret = link_up(link);
	if (!ret) {
		what = "no address for the network device";
		ret = own_link_address();
	}
	if (!ret) {
		what = "no software RDMA device (CONFIG_RDMA_RXE)";
		ret = rxe_create(link);
	}
	/* One that was left over does as well. */
	if (!ret || ret == -EEXIST)
		return NULL;
	snprintf(reason, sizeof(reason), "%s: %s: %s", link, what,
		 strerror(-ret));
	return reason;
}

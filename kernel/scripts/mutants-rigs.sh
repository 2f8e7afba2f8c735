# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The machines that mutants are tried on.  Sourced, not run.

# rig_of NAME -- its configuration and arguments of boot-vm.sh up to the suites.
# "lean" is memory-only.fragment on top of peerlab.config, "lean-debug" is
# mutants/lean-debug.config on top of that.  Where the caller sets whole, "peerlab" takes
# the place of "lean".
rig_of() {
	local lean=${whole:+peerlab}
	lean=${lean:-lean}
	case $1 in
	switch | provoke) echo "$lean --path switch" ;;
	roots) echo "$lean --path roots" ;;
	roots-intel) echo "$lean --path roots --cpu Skylake-Client-v4" ;;
	two) echo "$lean --path two" ;;
	mixed) echo "$lean --path mixed --cpu Skylake-Client-v4" ;;
	iommu) echo "$lean --path roots --iommu translated" ;;
	debug) echo "lean-debug --path switch" ;;
	rdma) echo "peerlab --path switch" ;;
	*) return 1 ;;
	esac
}

# suites_of NAME -- what to run there, as boot-vm.sh wants it, which packs only
# the programs it is told to start: list their tests first.
suites_of() {
	case $1 in
	switch | debug)
		echo "-- p2p_functional --list -- hmm-tests -l -- marked p2p_functional --oracle=stdio" \
			"-- marked hmm-tests -T benchmark_thp_migration" ;;
	# What makes the kernel complain if it is right.
	provoke)
		echo "-- p2p_functional --list" \
			"-- marked p2p_functional --provoke --only F05.own_page_is_no_address,F10.lies_are_not_believed" ;;
	rdma) echo "-- p2p_rdma --list -- marked p2p_rdma" ;;
	*) echo "-- p2p_functional --list -- marked p2p_functional --oracle=stdio" ;;
	esac
}

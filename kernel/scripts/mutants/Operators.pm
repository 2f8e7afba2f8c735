# SPDX-License-Identifier: GPL-2.0
# The kinds of mutants of an expression, see Kinds.pm.
package Operators;
use strict;
use warnings;
use Source;

# What only talks, or is checked when the kernel is built.
our $TALKS = qr/^(?:pr_\w+|dev_(?:dbg|info|warn|err|notice)\w*|net_\w+_ratelimited|(?:rxe|drm|ibdev)_(?:dbg|info|warn|err)\w*
	|printk\w*|\w*printf|trace_\w+|kunit_\w+|seq_\w+|lockdep_\w+|might_\w+|VM_WARN\w*|VM_BUG\w*|WARN\w*|BUG\w*
	|BUILD_BUG\w*|static_assert|MODULE_\w+|EXPORT_\w+|DEFINE_\w+|DECLARE_\w+|LIST_HEAD|guard|scoped_guard|CLASS)$/x;
my $SAME_ORDER = qr/^(?:min|max|min_t|max_t|min3|max3|swap|container_of|list_entry|list_first_entry|READ_ONCE|WRITE_ONCE
	|IS_ERR\w*|ERR_PTR|PTR_ERR|likely|unlikely)$/x;
our $FLAG = qr/^[A-Z][A-Z0-9]*_[A-Z0-9_]+$/;
my %BOUND = ('<' => ['<=', 'right'], '<=' => ['<', 'left'], '>' => ['>=', 'left'], '>=' => ['>', 'right']);

# expression(NODE, WHOLE) -- WHOLE: it is all of a condition, whose truth was seen to.
sub expression {
	my ($self, $node, $whole) = @_;
	my $type = $node->{type};
	return if $type eq 'opaque';
	return $self->statement($node->{body}) if $type eq 'block';
	return if $type eq 'call' && $node->{name} =~ $TALKS && $node->{name} !~ /^(?:WARN|VM_WARN)/;
	my @kids = @{ $node->{kids} // [] };
	$self->binary($node, $whole) if $type eq 'binary';
	$self->choice($node) if $type eq 'choice' && !$node->{short};
	$self->exchanged($node) if $type eq 'call';
	$self->constant($node) if $type eq 'num';
	$self->flag($node) if $type eq 'id' && $self->words($node) =~ $FLAG;
	if ($type eq 'unary' && $node->{op} eq '!' && !$whole) {
		my ($from, $to) = @$node{qw(from to)};
		my $words = $self->words($kids[0]);
		$self->add('negate', $from, $to, "$words instead of !$words", [[$from, $to, "!!($words)"]], [[$from, $to, '((', ') != @)']]);
	}
	# What is assigned to, or whose address is taken, is no value.
	shift @kids if $type eq 'assign' && $kids[0]{type} eq 'id';
	return if $type eq 'unary' && $node->{op} =~ /^(?:&|\+\+|--)$/ && $kids[0]{type} eq 'id';
	# The only argument of a check is a condition.
	my $inner = $type eq 'bracket' && $whole || $type eq 'call' && $node->{name} =~ /^(?:likely|unlikely|WARN_ON\w*)$/;
	$self->expression($_, $inner) for @kids;
}

sub binary {
	my ($self, $node, $whole) = @_;
	my $source = $self->{source};
	my ($op, $at, @kids) = (@$node{qw(op at)}, @{ $node->{kids} });
	my ($left, $right) = map { $self->words($_) } @kids;
	my ($from, $to) = @$node{qw(from to)};
	if ($BOUND{$op}) {
		my ($other, $side) = @{ $BOUND{$op} };
		my $operand = $kids[$side eq 'left' ? 0 : 1];
		$self->add('bound', $at, $at, "$left $other $right", [[$at, $at, $other]], [[@$operand{qw(from to)}, '(', ' + @)']]);
	} elsif ($op =~ /^[=!]=$/) {
		$self->add('negate', $at, $at, "the contrary of $left $op $right",
			[[$at, $at, $op eq '==' ? '!=' : '==']], [[$from, $to, '((', ') != @)']]) unless $whole;
	} elsif ($op =~ /^(?:&&|\|\|)$/) {
		for my $side (0, 1) {
			my ($a, $b) = @{ $kids[$side] }{qw(from to)};
			$self->add('operand', $a, $b, 'without ' . ($left, $right)[$side] . " $op",
				[[$a, $b, '(' . ($left, $right)[$side] . ($op eq '&&' ? ' || 1)' : ' && 0)')]],
				[[$a, $b, '((', $op eq '&&' ? ') || @)' : ') && !@)']]);
		}
	} elsif ($op =~ /^[-+]$/) {
		my ($a, $b) = @{ $kids[1] }{qw(from to)};
		$self->add('operand', $at, $b, "$left without $op $right", [[$a, $b, '0']], [[$a, $b, '(@ ? 0 : (', '))']]);
	} elsif ($op =~ /^(?:<<|>>)$/) {
		my ($a, $b) = @{ $kids[1] }{qw(from to)};
		$self->add('bound', $at, $b, "$left $op $right + 1", [[$a, $b, "($right + 1)"]], [[$a, $b, '(', ' + @)']]);
	} elsif ($op eq '|') {
		for my $side (0, 1) {
			my ($a, $b) = @{ $kids[$side] }{qw(from to)};
			next if $kids[$side]{type} eq 'binary' && $kids[$side]{op} eq '|';
			$self->add('operand', $a, $b, 'without | ' . ($left, $right)[$side], [[$a, $b, '0']], [[$a, $b, '(@ ? 0 : (', '))']]);
		}
	} elsif ($op eq '&') {
		my ($a, $b) = @{ $kids[1] }{qw(from to)};
		$self->add('operand', $at, $b, "$left without & $right", [[$a, $b, '~0UL']], [[$a, $b, '(', ' | (@ ? ~0UL : 0))']]);
	}
}

sub choice {
	my ($self, $node) = @_;
	my $condition = $node->{kids}[0];
	my ($from, $to) = @$condition{qw(from to)};
	my $words = $self->words($condition);
	$self->add('always', $from, $to, "($words) ? as if it were true", [[$from, $to, "(($words) || 1)"]], [[$from, $to, '((', ') || @)']]);
	$self->add('never', $from, $to, "($words) ? as if it were false", [[$from, $to, "(($words) && 0)"]], [[$from, $to, '((', ') && !@)']]);
}

# Two arguments without a call, an operator or a constant in them.
sub exchanged {
	my ($self, $node) = @_;
	return if $node->{name} =~ $SAME_ORDER || $node->{name} =~ $TALKS || $node->{name} =~ $Expression::NOT_RUN;
	my @arguments = @{ $node->{kids} };
	for my $i (1 .. $#arguments) {
		my @two = @arguments[$i - 1, $i];
		next if grep { $self->words($_) !~ /^[a-z_]\w*(?:(?:->|\.)\w+)*$/ } @two;
		my ($a, $b) = map { $self->words($_) } @two;
		# A pointer in place of a number does not compile.
		my ($one, $other) = map { $self->{pointer}{$_} } $a, $b;
		next if $a eq $b || defined $one && defined $other && $one != $other;
		$self->add('exchange', $two[0]{from}, $two[1]{to}, "$node->{name}() with $b and $a",
			[[@{ $two[0] }{qw(from to)}, $b], [@{ $two[1] }{qw(from to)}, $a]],
			[[@{ $two[0] }{qw(from to)}, "(@ ? $b : ", ')'], [@{ $two[1] }{qw(from to)}, "(@ ? $a : ", ')']]);
	}
}

sub constant {
	my ($self, $node) = @_;
	my ($from, $to) = @$node{qw(from to)};
	my $word = $self->words($node);
	return if $word =~ /^0[xX]/ && length $word > 6 || $node == ($self->{returned} // 0);
	$self->add('constant', $from, $to, "$word + 1", [[$from, $to, "($word + 1)"]], [[$from, $to, '(', ' + @)']]);
}

# flag(NODE) -- another one of the same family that this function uses, or the file.
sub flag {
	my ($self, $node) = @_;
	my ($from, $to) = @$node{qw(from to)};
	my $word = $self->words($node);
	my ($family) = $word =~ /^(.*)_/;
	my $source = $self->{source};
	$self->{flags} //= { map { $source->text($_) => 1 }
		grep { $source->kind($_) eq 'id' && $source->text($_) =~ $FLAG && $source->text($_ + 1) ne '(' } 0 .. $#{ $source->{tokens} } };
	my @others = grep { $_ ne $word && /^\Q$family\E_[A-Z0-9]+$/ } sort keys %{ $self->{flags} };
	return unless @others;
	my ($other) = ((grep { $_ gt $word } @others), @others)[0];
	$self->add('flag', $from, $to, "$other instead of $word", [[$from, $to, $other]], [[$from, $to, "(@ ? $other : ", ')']]);
}

1;

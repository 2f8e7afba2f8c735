# SPDX-License-Identifier: GPL-2.0
# The operators of an expression and what they apply to.  What cannot be
# understood becomes "opaque" and is left alone.
package Expression;
use strict;
use warnings;
use parent -norequire, 'Tokens';
use Tokens;

my %BINARY = (
	'*' => 13, '/' => 13, '%' => 13, '+' => 12, '-' => 12, '<<' => 11, '>>' => 11,
	'<' => 10, '>' => 10, '<=' => 10, '>=' => 10, '==' => 9, '!=' => 9,
	'&' => 8, '^' => 7, '|' => 6, '&&' => 5, '||' => 4,
);
my %ASSIGN = map { $_ => 1 } qw(= += -= *= /= %= &= |= ^= <<= >>=);
my %UNARY = map { $_ => 1 } qw(- + ! ~ * & ++ --);
# Their arguments are types, constants of the compiler, or never run.
our $NOT_RUN = qr/^(?:sizeof|typeof|__typeof__|alignof|_Alignof|offsetof|__attribute__|static_assert
	|_Static_assert|BUILD_BUG\w*|IS_ENABLED|IS_BUILTIN|IS_REACHABLE|__builtin_\w+|_Generic|asm|__asm__)$/x;

# try_expression(FROM, TO) -- a node; "opaque" when it cannot be understood.
sub try_expression {
	my ($self, $from, $to) = @_;
	my $node = eval {
		my ($value, $next) = $self->expression($from, $to, 1);
		die "something is left\n" if $next != $to + 1;
		$value;
	};
	return $node // { type => 'opaque', from => $from, to => $to };
}

# expression(I, TO, LOWEST) -- a node and the token behind it; operators that bind
# less than LOWEST are not taken (1 comma, 2 assignment, 3 ?:, 4.. as in C).
sub expression {
	my ($self, $i, $to, $lowest) = @_;
	my ($left, $at) = $self->operand($i, $to);
	while ($at <= $to) {
		my $op = $self->text($at);
		my ($right, $next);
		if (my $rank = $BINARY{$op}) {
			last if $rank < $lowest;
			($right, $next) = $self->expression($at + 1, $to, $rank + 1);
			$left = { type => 'binary', op => $op, at => $at, kids => [$left, $right] };
		} elsif ($op eq '?' && $lowest <= 3) {
			my $yes;
			if ($self->text($at + 1) eq ':') { ($yes, $next) = (undef, $at + 1) }
			else { ($yes, $next) = $self->expression($at + 1, $to, 1) }
			die "no ':'\n" if $self->text($next) ne ':';
			($right, $next) = $self->expression($next + 1, $to, 3);
			$left = { type => 'choice', at => $at, kids => [$left, $yes ? $yes : (), $right], short => !$yes };
		} elsif ($ASSIGN{$op} && $lowest <= 2) {
			($right, $next) = $self->expression($at + 1, $to, 2);
			$left = { type => 'assign', op => $op, at => $at, kids => [$left, $right] };
		} elsif ($op eq ',' && $lowest <= 1) {
			($right, $next) = $self->expression($at + 1, $to, 2);
			$left = { type => 'comma', at => $at, kids => [$left, $right] };
		} else {
			last;
		}
		@$left{qw(from to)} = ($i, $next - 1);
		$at = $next;
	}
	return ($left, $at);
}

sub operand {
	my ($self, $i, $to) = @_;
	die "an operand is missing\n" if $i > $to;
	my ($word, $kind) = ($self->text($i), $self->kind($i));
	my ($node, $next);
	if ($kind eq 'op' && $UNARY{$word}) {
		($node, $next) = $self->operand($i + 1, $to);
		return ({ type => 'unary', op => $word, at => $i, from => $i, to => $next - 1, kids => [$node] }, $next);
	}
	if ($word =~ $NOT_RUN) {
		$next = $self->text($i + 1) eq '(' ? $self->match($i + 1) + 1 : ($self->operand($i + 1, $to))[1];
		$node = { type => 'opaque', from => $i, to => $next - 1 };
	} elsif ($word eq '(') {
		my $close = $self->match($i);
		if ($self->text($i + 1) eq '{') {
			$node = { type => 'block', from => $i, to => $close, body => $self->statement($i + 1) };
		} elsif ($self->is_cast($i, $close, $to)) {
			if ($self->text($close + 1) eq '{') {
				$next = $self->match($close + 1) + 1;
				return ({ type => 'opaque', from => $i, to => $next - 1 }, $next);
			}
			($node, $next) = $self->operand($close + 1, $to);
			return ({ type => 'cast', from => $i, to => $next - 1, kids => [$node] }, $next);
		} else {
			my $inner = $self->try_expression($i + 1, $close - 1);
			$node = { type => 'bracket', from => $i, to => $close, kids => [$inner] };
		}
		$next = $close + 1;
	} elsif ($kind =~ /^(?:id|num|str|chr)$/) {
		die "a type\n" if $self->is_type_word($i) || $word =~ /^(?:if|else|return|for|while|do|switch)$/;
		$next = $i + 1;
		$next++ while $kind eq 'str' && $next <= $to && $self->kind($next) =~ /^(?:str|id)$/;
		$node = { type => $kind, from => $i, to => $next - 1 };
	} else {
		die "not an operand\n";
	}
	while ($next <= $to) {
		my $op = $self->text($next);
		if ($op eq '(') {
			my @arguments = map { $self->try_expression(@$_) } $self->split_at_commas($next);
			$node = { type => 'call', name => $node->{type} eq 'id' ? $self->text($node->{from}) :
					$self->text($next - 1), at => $node->{from}, callee => $node, kids => \@arguments };
			$next = $self->match($next) + 1;
		} elsif ($op eq '[') {
			$node = { type => 'index', kids => [$node, $self->try_expression($next + 1, $self->match($next) - 1)] };
			$next = $self->match($next) + 1;
		} elsif ($op =~ /^(?:\.|->)$/) {
			$node = { type => 'member', kids => [$node] };
			$next += 2;
		} elsif ($op =~ /^(?:\+\+|--)$/) {
			$node = { type => 'step', op => $op, kids => [$node] };
			$next++;
		} else {
			last;
		}
		@$node{qw(from to)} = ($i, $next - 1);
	}
	return ($node, $next);
}

# is_cast(OPEN, CLOSE, TO) -- a type in brackets with an operand behind it.
sub is_cast {
	my ($self, $open, $close, $to) = @_;
	return 0 if $close + 1 > $to || $close == $open + 1;
	return 0 unless $self->kind($close + 1) =~ /^(?:id|num|str|chr)$/ || $self->text($close + 1) =~ /^[({~!*&-]$/;
	for my $i ($open + 1 .. $close - 1) {
		return 0 unless $self->kind($i) eq 'id' || $self->text($i) eq '*';
	}
	return $self->is_type_word($open + 1) || $self->text($close - 1) eq '*';
}

1;

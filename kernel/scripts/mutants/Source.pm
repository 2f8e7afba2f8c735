# SPDX-License-Identifier: GPL-2.0
# As much of C as a generator of mutants has to know: the functions of a file and
# the statements of each.
package Source;
use strict;
use warnings;
use parent -norequire, 'Expression';
use Expression;

# new(TEXT) -- with its functions.
sub new {
	my ($class, $text) = @_;
	my $self = $class->SUPER::new($text);
	$self->find_functions;
	return $self;
}

# Functions: name, what they return, parameters, and their body as a statement.
sub find_functions {
	my ($self) = @_;
	my $i = 0;
	while ($i < @{ $self->{tokens} }) {
		if ($self->text($i) =~ /^[(\[{]$/ && defined $self->{match}{$i}) {
			my $close = $self->{match}{$i};
			if ($self->text($i) eq '{' && $i && $self->text($i - 1) eq ')') {
				my $parameters = $self->{match}{ $i - 1 };
				# Behind the parameters there may be annotations.
				while (defined $parameters && $parameters > 1 && $self->text($parameters - 1) =~ /^__\w+$/ &&
					$self->text($parameters - 2) eq ')') {
					$parameters = $self->{match}{ $parameters - 2 };
				}
				$self->add_function($i, $parameters) if defined $parameters && $parameters;
			}
			$i = $close;
		}
		$i++;
	}
}

sub add_function {
	my ($self, $brace, $parameters) = @_;
	my $from = $parameters - 1;
	my @returns;
	for (my $i = $from - 1; $i >= 0 && ($self->kind($i) eq 'id' || $self->text($i) eq '*'); $i--) {
		unshift @returns, $self->text($i);
	}
	my @body = eval { $self->statement($brace) };
	return unless @body;
	push @{ $self->{functions} }, {
		name => $self->text($from), returns => join(' ', grep { !/^(?:static|inline|noinline|__\w+)$/ } @returns),
		parameters => $self->parameters_of($parameters), body => $body[0],
	};
}

# parameters_of(OPEN) -- each as [name's token, type].
sub parameters_of {
	my ($self, $open) = @_;
	my @parameters;
	for my $span ($self->split_at_commas($open)) {
		my ($from, $to) = @$span;
		next unless $to > $from && $self->kind($to) eq 'id';
		push @parameters, [$to, $self->words($from, $to - 1)];
	}
	return \@parameters;
}

sub is_declaration {
	my ($self, $i) = @_;
	return 1 if $self->is_type_word($i) && $self->text($i + 1) ne '(' || $self->text($i) =~ /^__?typeof/;
	return 0 unless $self->kind($i) eq 'id';
	my $next = $i + 1;
	$next++ while $self->text($next) eq '*';
	return $self->kind($next) eq 'id' && ($next == $i + 1 || $self->text($next + 1) =~ /^[=;,\[]$/);
}

# statement(I) -- a node {type, from, to, ...}; types: block if loop switch jump
# return expression declaration label other.  Conditions and values are nodes of
# expression().
sub statement {
	my ($self, $i) = @_;
	my $word = $self->text($i);
	my %node = (from => $i);
	if ($word eq '{') {
		my $close = $self->match($i);
		my @kids;
		for (my $at = $i + 1; $at < $close;) {
			my $kid = $self->statement($at);
			push @kids, $kid;
			$at = $kid->{to} + 1;
		}
		return { %node, type => 'block', kids => \@kids, to => $close };
	}
	if ($word eq 'if') {
		my $open = $self->text($i + 1) eq '(' ? $i + 1 : die "if without a bracket\n";
		my $close = $self->match($open);
		$node{condition} = $self->try_expression($open + 1, $close - 1);
		my $then = $self->statement($close + 1);
		my ($to, @kids) = ($then->{to}, $then);
		if ($self->text($to + 1) eq 'else') {
			push @kids, $self->statement($to + 2);
			$to = $kids[1]{to};
		}
		return { %node, type => 'if', kids => \@kids, to => $to };
	}
	if ($word eq 'do') {
		my $body = $self->statement($i + 1);
		my $open = $body->{to} + 2;
		my $close = $self->match($open);
		$node{condition} = $self->try_expression($open + 1, $close - 1);
		return { %node, type => 'loop', kids => [$body], to => $close + 1 };
	}
	if ($word =~ /^(?:while|for|switch)$/) {
		my $close = $self->match($i + 1);
		if ($word eq 'for') {
			my $first = $self->to_semicolon($i + 2);
			my $second = $self->to_semicolon($first + 1);
			$node{condition} = $self->try_expression($first + 1, $second - 1) if $second > $first + 1;
		} else {
			$node{condition} = $self->try_expression($i + 2, $close - 1);
		}
		my $body = $self->statement($close + 1);
		return { %node, type => $word eq 'switch' ? 'switch' : 'loop', kids => [$body], to => $body->{to} };
	}
	if ($word =~ /^(?:case|default)$/ || $self->kind($i) eq 'id' && $self->text($i + 1) eq ':') {
		my $colon = $i;
		$colon++ while $self->text($colon) ne ':';
		return { %node, type => 'label', to => $colon };
	}
	my $end = $self->text($i) eq ';' ? $i : undef;
	return { %node, type => 'other', to => $i } if defined $end;
	if ($word =~ /^(?:break|continue|goto)$/) {
		return { %node, type => 'jump', to => $self->to_semicolon($i) };
	}
	if ($word eq 'return') {
		$end = $self->to_semicolon($i);
		$node{value} = $self->try_expression($i + 1, $end - 1) if $end > $i + 1;
		return { %node, type => 'return', to => $end };
	}
	# for_each_thing(...) and the like take a statement.
	if ($self->kind($i) eq 'id' && $self->text($i + 1) eq '(') {
		my $after = $self->match($i + 1) + 1;
		if ($self->text($after) eq '{' || $self->kind($after) eq 'id') {
			my $body = $self->statement($after);
			return { %node, type => 'other', kids => [$body], to => $body->{to} };
		}
	}
	$end = $self->to_semicolon($i);
	if ($word =~ $Expression::NOT_RUN && $word !~ /typeof/) {
		return { %node, type => 'other', to => $end };
	}
	if ($self->is_declaration($i)) {
		return { %node, type => 'declaration', to => $end, values => $self->initial_values($i, $end) };
	}
	return { %node, type => 'expression', value => $self->try_expression($i, $end - 1), to => $end };
}

# pointers(FUNCTION) -- for each parameter and variable whether it is a pointer.
sub pointers {
	my ($self, $function) = @_;
	my %pointer = map { ($self->text($_->[0]) => $_->[1] =~ /\*$/ ? 1 : 0) } @{ $function->{parameters} };
	my @nodes = $function->{body};
	while (my $node = shift @nodes) {
		push @nodes, @{ $node->{kids} // [] };
		next unless $node->{type} eq 'declaration';
		for (my $i = $node->{from} + 1; $i < $node->{to}; $i++) {
			if ($self->text($i) =~ /^[(\[{]$/) { $i = $self->match($i) }
			elsif ($self->kind($i) eq 'id' && $self->text($i + 1) =~ /^[=;,\[]$/) {
				$pointer{ $self->text($i) } = $self->text($i - 1) eq '*' || $self->text($i + 1) eq '[' ? 1 : 0;
				# What it begins with names no variable.
				$i++ while $i < $node->{to} && $self->text($i + 1) !~ /^[,;]$/;
			}
		}
	}
	return \%pointer;
}

# initial_values(FROM, TO) -- what a declaration computes: [name's token, type, node].
sub initial_values {
	my ($self, $from, $to) = @_;
	my ($type, @values) = ('');
	for (my $i = $from; $i < $to; $i++) {
		return [] if $self->text($i) eq 'static';
		if ($self->text($i) eq '=') {
			my $end = $i + 1;
			while ($end < $to && $self->text($end) ne ',') {
				$end = $self->match($end) if $self->text($end) =~ /^[(\[{]$/;
				$end++;
			}
			$type = $self->words($from, $i - 2) if !@values && $i - 2 >= $from;
			push @values, [$i - 1, $type, $self->try_expression($i + 1, $end - 1)] if $self->text($i + 1) ne '{';
			$i = $end - 1;
		} elsif ($self->text($i) =~ /^[(\[{]$/) {
			$i = $self->match($i);
		}
	}
	return \@values;
}

1;

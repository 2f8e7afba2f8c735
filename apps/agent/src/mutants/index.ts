export { type MappedTest, MutantPlan } from './mutant-plan.js';
export { readStep, type Step } from './printed-step.js';

// What the Jobs panel says.
export default {};

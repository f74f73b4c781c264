// What the settings say.
export default {};

"""The drivers that come with storekit: one module, or one package of small modules, for each."""

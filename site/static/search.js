// The words around a hit: of the text, not of the bars around it, and without the blanks that our
// search in Japanese adds to its terms (conf.py). Sphinx's script has defined Search by now.
if (typeof Search !== "undefined") {
    const { htmlToText, makeSearchSummary } = Search;
    Search.htmlToText = (html, anchor) => {
        const page = new DOMParser().parseFromString(html, "text/html");
        page.querySelectorAll(".bd-header-article, #jb-print-docs-body, .prev-next-footer, math")
            .forEach(box => box.remove());
        return htmlToText(page.documentElement.outerHTML, anchor).replace(/\s+/g, " ");
    };
    Search.makeSearchSummary = (html, keywords, anchor) =>
        makeSearchSummary(html, [...keywords].map(word => word.trim()), anchor);
}
// Sphinx has this sentence in Japanese, but empty.
if (document.documentElement.lang === "ja") {
    const one = "Search finished, found one page matching the search query.";
    Documentation.addTranslations({
        locale: "ja", plural_expr: "0", messages: { [one]: ["${resultCount}件見つかりました。"] },
    });
}
